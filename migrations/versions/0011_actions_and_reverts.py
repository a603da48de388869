"""Actions and reverts."""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.add_column(sa.Column('action', sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column('reverts_id', sa.Integer(), nullable=True))
        batch_op.create_index('ix_batches_reverts_id', ['reverts_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_batches_reverts_id'), 'batches', ['reverts_id'], ['id'], ondelete='SET NULL')


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
