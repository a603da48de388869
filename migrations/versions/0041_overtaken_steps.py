"""A step that was undone and then overtaken is simply undone: what can be redone follows from the order of steps."""

from alembic import op

revision = '0041'
down_revision = '0040'
branch_labels = None
depends_on = None


def upgrade():
    op.execute("UPDATE row_edits SET state = 'undone' WHERE state = 'dropped'")


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
