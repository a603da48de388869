"""Webhooks: their endpoints, each a cursor over the audit log."""

import sqlalchemy as sa
from alembic import op

import webapp.db

revision = '0054'
down_revision = '0053'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'endpoints',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('created_at', webapp.db.UTCDateTime(), nullable=False),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('types', sa.JSON(), nullable=False),
        sa.Column('nonce', sa.String(length=32), nullable=False),
        sa.Column('former_nonce', sa.String(length=32), nullable=True),
        sa.Column('former_until', webapp.db.UTCDateTime(), nullable=True),
        sa.Column('cursor', sa.Integer(), nullable=False),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('failed_since', webapp.db.UTCDateTime(), nullable=True),
        sa.Column('next_at', webapp.db.UTCDateTime(), nullable=False),
        sa.Column('test_asked_at', webapp.db.UTCDateTime(), nullable=True),
        sa.Column('claimed_by', sa.String(length=32), nullable=True),
        sa.Column('lease_until', webapp.db.UTCDateTime(), nullable=True),
        sa.Column('disabled_at', webapp.db.UTCDateTime(), nullable=True),
        sa.Column('disabled_why', sa.String(length=32), nullable=False),
        sa.Column('answers', sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_endpoints')),
        sqlite_autoincrement=True,
    )


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
