"""Messages that became files are told apart from those a mail server took."""

from alembic import op

revision = '0032'
down_revision = '0021'
branch_labels = None
depends_on = None


def upgrade():
    op.execute("UPDATE messages SET state = 'written' WHERE state = 'sent' AND answer LIKE 'Written as %'")


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
