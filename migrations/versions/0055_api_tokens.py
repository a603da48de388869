"""Programs: tokens of the API, service accounts, and what a program called the request that made a batch."""

import sqlalchemy as sa
from alembic import op

revision = '0055'
down_revision = '0054'
branch_labels = None
depends_on = None


def upgrade():
    op.add_column('users', sa.Column('kind', sa.String(length=32), server_default='person', nullable=False))
    op.create_table(
        'api_tokens',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('token_hash', sa.String(length=64), nullable=False),
        sa.Column('user_id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=80), nullable=False),
        sa.Column('permissions', sa.JSON(), nullable=False),
        sa.Column('may_make_admins', sa.Boolean(), nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('expires_at', sa.DateTime(), nullable=False),
        sa.Column('seen_at', sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('fk_api_tokens_user_id'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_api_tokens')),
        sa.UniqueConstraint('token_hash', name=op.f('uq_api_tokens_token_hash')),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f('ix_api_tokens_user_id'), 'api_tokens', ['user_id'])
    op.add_column('batches', sa.Column('request_key', sa.String(length=255), nullable=True))
    op.add_column('batches', sa.Column('request_hash', sa.String(length=64), server_default='', nullable=False))
    op.create_index('one_batch_a_request', 'batches', ['uploaded_by_id', 'request_key'], unique=True)


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
