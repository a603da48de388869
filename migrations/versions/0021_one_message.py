"""The mail gate remembers the message in whose midst the connection broke."""

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('mail_gate', sa.Column('suspect_id', sa.Integer(), nullable=True))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
