"""Reminders."""

import sqlalchemy as sa
from alembic import op

import webapp.db

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('invitations', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reminded_at', webapp.db.UTCDateTime(), nullable=True))
        batch_op.create_index('ix_invitations_state_expires_at', ['state', 'expires_at'], unique=False)


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
