"""Parts of a split file are planned alone: those under review are planned again."""

from alembic import op

revision = '0033'
down_revision = '0030'
branch_labels = None
depends_on = None


def upgrade():
    op.execute("UPDATE batches SET directory_version = -1 WHERE parts > 1 AND state = 'reviewing'")


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
