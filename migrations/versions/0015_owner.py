"""Owner: the database sees to it that there is always one, who is active."""

import sqlalchemy as sa
from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('users', schema=None) as batch_op:
        batch_op.create_index('users_as_owner', ['id', 'role_id', 'state'], unique=True)

    with op.batch_alter_table('organisation', schema=None) as batch_op:
        batch_op.add_column(sa.Column('owner_id', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('owner_role_id', sa.Integer(), server_default=sa.text('1'), nullable=False))
        batch_op.add_column(sa.Column('owner_state', sa.String(length=32), server_default='active', nullable=False))

    # Who was deactivated by hand is let in again: the Owner is always active.
    op.execute("UPDATE users SET state = 'active' WHERE role_id = 1")
    op.execute('UPDATE organisation SET owner_id = (SELECT id FROM users WHERE role_id = 1)')

    with op.batch_alter_table('organisation', schema=None) as batch_op:
        batch_op.create_foreign_key(
            'fk_organisation_owner', 'users', ['owner_id', 'owner_role_id', 'owner_state'], ['id', 'role_id', 'state'],
            deferrable=True, initially='DEFERRED',
        )


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
