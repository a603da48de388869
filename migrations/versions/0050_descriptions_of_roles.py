"""Roles are described in the Owner's words. Shipped roles that are as they were shipped begin with a text of ours."""

import sqlalchemy as sa
from alembic import op

revision = '0050'
down_revision = '0049'
branch_labels = None
depends_on = None

SEES = ['users:see', 'batches:see']
ADMIN = [*SEES, 'audit:read', 'invitations:make', 'messages:see', 'users:manage']
SHIPPED = {
    'owner': ([*ADMIN, 'organisation:manage'], "Can do everything, also change settings and roles. There is one Owner."),
    'admin': (ADMIN, "Can invite people, change their roles and groups, and read the audit log."),
    'investigator': (
        [*SEES, 'audit:read'], "Can see people, groups, invitations, reports and the audit log. Cannot change them.",
    ),
    'analyst': (SEES, "Can see people, groups, invitations and the reports of uploads. Cannot change them."),
    'broadcaster': ([], "Can send messages to devices."),
    'remote': ([], "Can sign in to devices from home."),
}


def upgrade():
    op.add_column('roles', sa.Column('description', sa.String(length=200), server_default='', nullable=False))
    op.add_column('organisation', sa.Column('without_email', sa.Boolean(), server_default=sa.false(), nullable=False))
    roles = sa.table(
        'roles', sa.column('id', sa.Integer), sa.column('key', sa.String), sa.column('permissions', sa.JSON),
        sa.column('description', sa.String),
    )
    connection = op.get_bind()
    for role in connection.execute(sa.select(roles)).all():
        permissions, text = SHIPPED.get(role.key, (None, ''))
        if permissions is not None and set(role.permissions) == set(permissions):
            connection.execute(sa.update(roles).where(roles.c.id == role.id).values(description=text))


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
