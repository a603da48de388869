"""The triggers that refuse to change or delete audit events, for databases that tests make without the migrations.

Importing this has `create_all` make them. tests/services/operations/test_setup.py holds that the migrations make the same.
"""

from sqlalchemy import DDL, event
from webapp.models import AuditEvent

TRIGGERS = {
    "sqlite": [
        "CREATE TRIGGER audit_events_not_changed BEFORE UPDATE ON audit_events WHEN OLD.seq IS NOT NULL"
        " AND coalesce((SELECT unlocked FROM audit_chain WHERE id = 1), 0) = 0"
        " BEGIN SELECT RAISE(ABORT, 'audit events are only appended'); END",
        "CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events"
        " WHEN coalesce((SELECT unlocked FROM audit_chain WHERE id = 1), 0) = 0"
        " BEGIN SELECT RAISE(ABORT, 'audit events are only appended'); END",
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION audit_events_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF coalesce((SELECT unlocked FROM audit_chain WHERE id = 1), false) = false"
        " THEN RAISE EXCEPTION 'audit events are only appended'; END IF;"
        " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER audit_events_not_changed BEFORE UPDATE ON audit_events FOR EACH ROW"
        " WHEN (OLD.seq IS NOT NULL) EXECUTE FUNCTION audit_events_refuse()",
        "CREATE TRIGGER audit_events_not_deleted BEFORE DELETE ON audit_events FOR EACH ROW"
        " EXECUTE FUNCTION audit_events_refuse()",
    ],
}


for dialect, statements in TRIGGERS.items():
    for statement in statements:
        trigger = DDL(statement).execute_if(dialect=dialect)
        event.listen(AuditEvent.__table__, "after_create", trigger)
