"""Reviewed again."""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.add_column(sa.Column('again_of_id', sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f('fk_batches_again_of_id'), 'batches', ['again_of_id'], ['id'], ondelete='SET NULL')


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
