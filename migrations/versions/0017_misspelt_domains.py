"""Reviewed again, and likely domains."""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.add_column(sa.Column('again_of_id', sa.Integer(), nullable=True))
        batch_op.create_foreign_key(batch_op.f('fk_batches_again_of_id'), 'batches', ['again_of_id'], ['id'], ondelete='SET NULL')
    with op.batch_alter_table('rows', schema=None) as batch_op:
        batch_op.add_column(sa.Column('likely_domain', sa.String(length=255), nullable=True))
        batch_op.create_index('ix_rows_batch_id_likely_domain', ['batch_id', 'likely_domain'], unique=False,
                              sqlite_where=sa.text('likely_domain IS NOT NULL'), postgresql_where=sa.text('likely_domain IS NOT NULL'))

    # What is under review is planned again, which fills `likely_domain`.
    op.execute('UPDATE organisation SET directory_version = directory_version + 1')


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
