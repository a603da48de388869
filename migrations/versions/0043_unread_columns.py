"""Times that nothing reads are not kept: the audit log has them."""

from alembic import op

revision = '0043'
down_revision = '0042'
branch_labels = None
depends_on = None

UNREAD = {
    'account_links': 'created_at',
    'aliases': 'created_at',
    'groups': 'created_at',
    'replaced_addresses': 'at',
    'workers': 'started_at',
}


def upgrade():
    for table, column in UNREAD.items():
        op.drop_column(table, column)


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
