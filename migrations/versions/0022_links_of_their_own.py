"""Links of their own: a random value of each row is part of its link, and no id is given out twice."""

import logging

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0032'
branch_labels = None
depends_on = None

TABLES = ('account_links', 'aliases', 'audit_events', 'batches', 'groups', 'header_mappings', 'invitations', 'messages',
          'recovery_codes', 'roles', 'row_edits', 'rows', 'sessions', 'users')

LOCKED = "coalesce((SELECT unlocked FROM audit_chain WHERE id = 1), 0) = 0"
REFUSAL = "audit events are only appended"

# What the log told of an invitation before there was this one: its id, and so its link, was somebody else's.
USED_BEFORE = """
    state = 'pending' AND EXISTS (
        SELECT 1 FROM audit_events WHERE subject_type = 'invitations' AND subject_id = invitations.id
        AND at < strftime('%Y-%m-%d %H:%M:%S', invitations.created_at, '-2 seconds'))
"""
RENEWED = "nonce = lower(hex(randomblob(16))), token_hash = lower(hex(randomblob(32)))"


def upgrade():
    # Rows that are there keep an empty value, and so the links that were sent.
    for table in ('account_links', 'invitations'):
        op.add_column(table, sa.Column('nonce', sa.String(length=32), server_default='', nullable=False))
    if op.get_bind().dialect.name == 'sqlite':
        give_out_no_id_twice()
        renew_links_of_ids_used_before()


def give_out_no_id_twice():
    for table in TABLES:
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
        # Also not those of what was deleted, as far as the log knows of it.
        newest = (f"SELECT max(coalesce((SELECT max(id) FROM \"{table}\"), 0), coalesce((SELECT max(subject_id) "
                  f"FROM audit_events WHERE subject_type = '{table}'), 0))")
        op.execute(f"DELETE FROM sqlite_sequence WHERE name = '{table}'")
        op.execute(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', ({newest}))")
    # A migration that rebuilds audit_events on SQLite makes its triggers again.
    op.execute(f"CREATE TRIGGER audit_events_not_changed BEFORE UPDATE ON audit_events WHEN OLD.seq IS NOT NULL AND {LOCKED} "
               f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END")
    op.execute(f"CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events WHEN {LOCKED} "
               f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END")


def renew_links_of_ids_used_before():
    ids = op.get_bind().execute(sa.text(f"SELECT id FROM invitations WHERE {USED_BEFORE} ORDER BY id")).scalars().all()
    if ids:
        op.execute(f"UPDATE invitations SET {RENEWED} WHERE {USED_BEFORE}")
        logging.getLogger('alembic').warning(
            "Somebody who was erased has the same link as these pending invitations, so it no longer works. Resend them: %s",
            ", ".join(f"/invitations/{id}/details" for id in ids),
        )
    # The log does not tell of these. They work for a day at most, and are asked for again in a moment.
    op.execute(f"UPDATE account_links SET {RENEWED} WHERE closed_at IS NULL AND expires_at > datetime('now')")


def downgrade():
    raise NotImplementedError("Migrations go forward only: restore the backup from before the update instead.")
