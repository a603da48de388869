"""Remembered columns know whether they were chosen before there were names: then a column of names is read, too."""

import sqlalchemy as sa
from alembic import op

revision = '0052'
down_revision = '0051'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('header_mappings', sa.Column('is_before_names', sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute(sa.text('UPDATE header_mappings SET is_before_names = true'))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
