"""A report asks for reminders, and workers send them: who asked, and when."""

import sqlalchemy as sa
from alembic import op

revision = '0051'
down_revision = '0050'
branch_labels = None
depends_on = None


def upgrade():
    # SQLite makes the table again: it stays one that gives no id out twice
    with op.batch_alter_table('batches', table_kwargs={'sqlite_autoincrement': True}) as table:
        table.add_column(sa.Column('reminded_by_id', sa.Integer(), nullable=True))
        table.add_column(sa.Column('reminded_at', sa.DateTime(), nullable=True))
        table.create_foreign_key('fk_batches_reminded_by_id', 'users', ['reminded_by_id'], ['id'])


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
