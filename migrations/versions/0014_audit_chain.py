"""Audit chain."""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

LOCKED = "coalesce((SELECT unlocked FROM audit_chain WHERE id = 1), {no}) = {no}"
REFUSAL = "audit events are only appended"


def upgrade():
    op.create_table('audit_chain',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('seq', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('link', sa.String(length=64), server_default='', nullable=False),
    sa.Column('sealed_at', sa.DateTime(), nullable=True),
    sa.Column('first_seq', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('first_link', sa.String(length=64), server_default='', nullable=False),
    sa.Column('pruned', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('pruned_until', sa.DateTime(), nullable=True),
    sa.Column('signature', sa.String(length=64), server_default='', nullable=False),
    sa.Column('swept_on', sa.String(length=10), server_default='', nullable=False),
    sa.Column('unlocked', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_chain'))
    )
    with op.batch_alter_table('audit_events', schema=None) as batch_op:
        batch_op.add_column(sa.Column('personal', sa.JSON(), server_default=sa.text("'{}'"), nullable=False))
        batch_op.add_column(sa.Column('stamp', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('seq', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('link', sa.String(length=64), nullable=True))
        batch_op.drop_index('ix_audit_events_at')
        batch_op.create_unique_constraint(batch_op.f('uq_audit_events_stamp'), ['stamp'])
        batch_op.create_unique_constraint(batch_op.f('uq_audit_events_seq'), ['seq'])
    with op.batch_alter_table('audit_events', schema=None) as batch_op:
        batch_op.create_index('ix_audit_events_at', ['at', 'id'], unique=False)
        batch_op.create_index('ix_audit_events_actor_id', ['actor_id', 'at'], unique=False)
        batch_op.create_index('ix_audit_events_unsealed', ['id'], unique=False,
                              sqlite_where=sa.text('seq IS NULL'), postgresql_where=sa.text('seq IS NULL'))
    with op.batch_alter_table('batches', schema=None) as batch_op:
        batch_op.add_column(sa.Column('tally', sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column('rows_deleted_at', sa.DateTime(), nullable=True))

    # A migration that rebuilds audit_events on SQLite makes its triggers again.
    if op.get_bind().dialect.name == 'sqlite':
        locked = LOCKED.format(no=0)
        op.execute(f"CREATE TRIGGER audit_events_not_changed BEFORE UPDATE ON audit_events WHEN OLD.seq IS NOT NULL AND {locked} "
                   f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END")
        op.execute(f"CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events WHEN {locked} "
                   f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END")
    else:
        op.execute("CREATE OR REPLACE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                   f"IF {LOCKED.format(no='false')} THEN RAISE EXCEPTION '{REFUSAL}'; END IF; "
                   "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$")
        op.execute("CREATE TRIGGER audit_events_not_changed BEFORE UPDATE ON audit_events FOR EACH ROW WHEN (OLD.seq IS NOT NULL) "
                   "EXECUTE FUNCTION audit_events_refuse()")
        op.execute("CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events FOR EACH ROW "
                   "EXECUTE FUNCTION audit_events_refuse()")


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
