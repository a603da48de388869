"""People."""

from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade():
    op.create_index('ix_invitations_user_id', 'invitations', ['user_id'], unique=False)


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
