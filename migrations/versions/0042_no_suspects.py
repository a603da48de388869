"""A connection that breaks in the middle of a message holds sending up at once, so no suspect is kept."""

from alembic import op

revision = '0042'
down_revision = '0041'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('mail_circuit') as table:
        table.drop_column('suspect_id')


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
