"""An upload knows the one of the same list that was sent before."""

import sqlalchemy as sa
from alembic import op

revision = '0048'
down_revision = '0045'
branch_labels = None
depends_on = None


def upgrade():
    # SQLite makes the table again: it stays one that gives no id out twice
    with op.batch_alter_table('batches', table_kwargs={'sqlite_autoincrement': True}) as table:
        table.add_column(sa.Column('earlier_id', sa.Integer(), nullable=True))
        table.create_foreign_key('fk_batches_earlier_id', 'batches', ['earlier_id'], ['id'], ondelete='SET NULL')


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
