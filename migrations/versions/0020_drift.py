"""What was seen of a review: drift of its plans. Rows found by their invitation."""

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('batches', sa.Column('drift', sa.String(length=16), server_default='0', nullable=False))
    op.create_index(
        'ix_rows_invitation_id', 'rows', ['invitation_id'],
        sqlite_where=sa.text('invitation_id IS NOT NULL'), postgresql_where=sa.text('invitation_id IS NOT NULL'),
    )


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
