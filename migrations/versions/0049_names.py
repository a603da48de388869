"""Rows and invitations have the name of the person."""

import sqlalchemy as sa
from alembic import op

revision = '0049'
down_revision = '0048'
branch_labels = None
depends_on = None


def upgrade():
    for name in ('read_name', 'name'):
        op.add_column('rows', sa.Column(name, sa.Text(), server_default='', nullable=False))
    op.add_column('rows', sa.Column('name_wrong', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('batches', sa.Column('has_names', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column('invitations', sa.Column('name', sa.String(length=200), server_default='', nullable=False))
    with op.batch_alter_table('users', table_kwargs={'sqlite_autoincrement': True}) as table:
        table.alter_column('name', existing_type=sa.String(length=120), type_=sa.String(length=200))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
