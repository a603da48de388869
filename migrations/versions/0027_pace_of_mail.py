"""The mail gate remembers at what pace the mail server takes messages."""

import sqlalchemy as sa
from alembic import op

import webapp.db

revision = '0027'
down_revision = '0022'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('mail_gate', sa.Column('pace', sa.Integer(), nullable=True))
    op.add_column('mail_gate', sa.Column('paced_at', webapp.db.UTCDateTime(), nullable=True))
    op.add_column('mail_gate', sa.Column('pace_words', sa.Text(), server_default='', nullable=False))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
