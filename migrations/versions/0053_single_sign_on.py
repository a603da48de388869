"""People sign in with accounts elsewhere: who is who, how a session began, and who has a password."""

import sqlalchemy as sa
from alembic import op

import webapp.db

revision = '0053'
down_revision = '0052'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'identities',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('issuer', sa.String(length=500), nullable=False),
        sa.Column('subject', sa.String(length=320), nullable=False),
        sa.Column('created_at', webapp.db.UTCDateTime(), nullable=False),
        sa.Column('seen_at', webapp.db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_identities_user_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_identities')),
        sa.UniqueConstraint('issuer', 'subject', name=op.f('uq_identities_issuer_subject')),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f('ix_identities_user_id'), 'identities', ['user_id'])
    op.add_column('sessions', sa.Column('via', sa.String(length=32), server_default='password', nullable=False))
    op.add_column('sessions', sa.Column('proven_at', webapp.db.UTCDateTime(), nullable=True))
    op.add_column('users', sa.Column('has_password', sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
