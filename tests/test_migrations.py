"""Migrations, on the database in use: from nothing and from each earlier version, with what that version had in its tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import MetaData, func, inspect, select, text
from sqlalchemy.exc import DBAPIError
from webapp.app import create_app
from webapp.db import Base, begin_write, db
from webapp.models import (
    AccountLink,
    AuditEvent,
    Batch,
    BatchFile,
    HeaderMapping,
    Invitation,
    MailCircuit,
    Message,
    MessageState,
    Organisation,
    Role,
    Row,
    User,
)
from webapp.services.audit import chain
from webapp.services.operations import first_run
from webapp.settings.settings import Settings
from webapp.upgrade import upgrade

pytestmark = pytest.mark.slow

VERSIONS = [each.revision for each in ScriptDirectory("migrations").walk_revisions()][::-1]
THEN = datetime(2026, 9, 8, 9, 52)
CELLS = {"email": "jonas@northfield.example", "role": "Analyst", "groups": "Labs"}

ROWS: list[tuple[str, dict[str, Any]]] = [
    ("organisation", {"id": 1, "name": "Northfield Academy", "directory_version": 7, "settings": {"INVITE_DAYS": "9"}}),
    ("mail_gate", {"id": 1, "reason": "no answer in time", "paused_at": THEN, "pace": 10, "paced_at": THEN,
                   "pace_words": "450 Too many"}),
    ("audit_chain", {"id": 1}),
    ("roles", {"id": 1, "name": "Owner", "key": "owner", "rank": 100, "permissions": ["users:manage", "batches:see"]}),
    ("roles", {"id": 2, "name": "Analyst", "key": "analyst", "rank": 40, "permissions": []}),
    ("groups", {"id": 1, "name": "Labs", "key": "labs", "description": "Büro %", "created_at": THEN}),
    ("workers", {"name": "one", "started_at": THEN, "seen_at": THEN}),
    ("users", {"id": 1, "email": "Maren@northfield.example", "email_key": "maren@northfield.example", "name": "Maren Okafor",
               "password_hash": "x", "role_id": 1, "all_groups": True, "state": "active", "created_at": THEN}),
    ("users", {"id": 2, "email": "ines@northfield.example", "email_key": "ines@northfield.example", "name": "Inês",
               "password_hash": "x", "role_id": 2, "all_groups": False, "state": "deactivated", "created_at": THEN}),
    ("users", {"id": 3, "kind": "service", "email": "School system", "email_key": "service:0", "name": "School system",
               "password_hash": "", "role_id": 2, "all_groups": False, "state": "active", "created_at": THEN}),
    ("api_tokens", {"id": 1, "token_hash": "d" * 64, "user_id": 3, "name": "nightly", "permissions": ["users:see"],
                    "may_make_admins": False, "created_at": THEN, "expires_at": THEN, "seen_at": THEN}),
    ("user_groups", {"user_id": 2, "group_id": 1}),
    ("sessions", {"id": 1, "token_hash": "a" * 64, "user_id": 1, "created_at": THEN, "seen_at": THEN, "address": "192.0.2.1",
                  "user_agent": "Firefox"}),
    ("identities", {"id": 1, "user_id": 1, "issuer": "https://login.example", "subject": "maren", "created_at": THEN,
                    "seen_at": THEN}),
    ("batches", {"id": 1, "kind": "upload", "state": "finished", "name": "staff.csv", "content_hash": "b" * 64, "facts": ["one"],
                 "header": ["Email", "Role"], "columns": {"email": 0}, "notices": [], "mode": "add",
                 "change_roles": True, "skip_errors": False, "valid_days": 7,
                 "version": 3, "directory_version": 5, "planned_for_id": 1, "counts": {"invite": 1}, "uploaded_by_id": 1,
                 "confirmed_by_id": 1, "created_at": THEN, "confirmed_at": THEN, "finished_at": THEN}),
    ("batch_files", {"batch_id": 1, "data": b"Email\n\xff\0", "sheet": "Staff", "columns": {"email": 0}}),
    ("invitations", {"id": 1, "email": CELLS["email"], "email_key": CELLS["email"], "role_id": 2,
                     "all_groups": False, "state": "pending", "version": 2, "token_hash": "c" * 64, "valid_days": 7,
                     "expires_at": THEN, "invited_by_id": 1, "batch_id": 1, "created_at": THEN}),
    ("invitation_groups", {"invitation_id": 1, "group_id": 1}),
    ("rows", {"id": 1, "batch_id": 1, "line": 2, **CELLS, **{f"read_{name}": value for name, value in CELLS.items()},
              "email_key": CELLS["email"], "issues": [{"field": "role", "text": "“Analsyt”?"}], "plan": "invite",
              "step": {"marks": ["admin"]}, "attempt": 1, "outcome": "invited", "reason": "", "done_at": THEN,
              "invitation_id": 1, "hint": "gone"}),
    ("replaced_addresses", {"old_key": "old@northfield.example", "email": CELLS["email"], "email_key": CELLS["email"],
                            "at": THEN}),
    ("row_edits", {"id": 1, "batch_id": 1, "row_id": 1, "version": 2, "user_id": 1, "at": THEN, "field": "role",
                   "before": "Analsyt", "after": "Analyst"}),
    ("account_links", {"id": 1, "user_id": 1, "purpose": "reset", "token_hash": "d" * 64, "email": "", "email_key": "",
                       "without_second_factor": False, "created_at": THEN, "expires_at": THEN}),
    ("recovery_codes", {"id": 1, "user_id": 1, "code_hash": "e" * 64}),
    ("messages", {"id": 1, "kind": "invitation", "priority": 3, "recipient": CELLS["email"], "message_id": "<1@muster>",
                  "invitation_id": 1, "row_id": 1, "state": "sent", "phase": "data", "maybe_sent": False, "attempts": 1,
                  "due_at": THEN, "answer": "250 OK", "created_at": THEN, "handed_at": THEN}),
    ("messages", {"id": 2, "kind": "invitation", "priority": 3, "recipient": CELLS["email"], "message_id": "<2@muster>",
                  "invitation_id": 1, "row_id": 1, "state": "sent", "phase": "data", "maybe_sent": False, "attempts": 1,
                  "due_at": THEN, "answer": "Written as 2.eml", "created_at": THEN, "handed_at": THEN}),
    ("header_mappings", {"id": 1, "key": "f" * 64, "columns": {"email": 0}, "created_at": THEN}),
    ("aliases", {"id": 1, "kind": "role", "word": "Analytiker", "key": "analytiker", "role_id": 2, "created_at": THEN}),
    ("audit_events", {"id": 1, "at": THEN, "actor_id": 1, "actor": "Maren@northfield.example", "action": "batch.confirmed",
                      "subject_type": "batches", "subject_id": 1, "subject": "staff.csv", "address": "192.0.2.1",
                      "details": {"mode": "add"}, "count": 1}),
]  # fmt: skip
"""A little of everything. A version takes of it the tables and columns that it has."""
ONE_ROW = {"audit_chain", "mail_circuit", "organisation"}
"""Tables of one row, whose id is 1."""
CHANGED = {
    ("organisation", "directory_version"), ("organisation", "owner_id"), ("messages", "state"), ("messages", "answer"),
    ("mail_gate", "reason"), ("batches", "facts"), ("rows", "attempt"), ("rows", "issues"), ("rows", "reason"),
    ("account_links", "created_at"), ("aliases", "created_at"), ("groups", "created_at"), ("replaced_addresses", "at"),
    ("workers", "started_at"), ("batches", "columns"), ("batch_files", "columns"), ("header_mappings", "columns"),
}  # fmt: skip
"""What migrations change on purpose."""
RENAMED = {"mail_gate": "mail_circuit"}


@pytest.fixture
def upgraded(tmp_path: Path, new_database: Callable[[], str]) -> Iterator[Callable[[str], None]]:
    """`upgraded("0013")`: an empty database of its own, then at that version; within its app's context."""
    settings = {"MUSTER_DATA_DIR": str(tmp_path), "MUSTER_DATABASE_URL": new_database(), "MUSTER_TIME_ZONE": "UTC"}
    app: Flask = create_app(Settings.from_environment(settings))

    def to(version: str) -> None:
        db.session.rollback()
        upgrade(version)

    with app.app_context():
        yield to
        db.session.rollback()
        db.engine.dispose()


def tables_now() -> MetaData:
    found = MetaData()
    found.reflect(db.engine)
    return found


def assert_as_the_models_say() -> None:
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    for mapper in Base.registry.mappers:
        db.session.scalars(select(mapper)).all()  # every enum and every JSON is understood


def test_from_nothing(upgraded: Callable[[str], None]) -> None:
    upgraded("head")
    assert_as_the_models_say()
    first_run.prepare()
    assert db.session.scalar(select(func.count(Role.id))) == 6


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_from_an_earlier_version_with_what_it_had(upgraded: Callable[[str], None], version: str) -> None:
    upgraded(version)
    tables = tables_now().tables
    kept = [(name, {k: v for k, v in row.items() if k in tables[name].c}) for name, row in ROWS if name in tables]
    begin_write()
    for name, row in kept:
        db.session.execute(tables[name].insert(), [row])
    if "owner_id" in tables["organisation"].c:
        db.session.execute(text("UPDATE organisation SET owner_id = 1"))
    if db.engine.dialect.name == "postgresql" and "audit_events" in tables:  # ids given by hand do not move its sequence
        db.session.execute(text("SELECT setval(pg_get_serial_sequence('audit_events', 'id'), 1)"))
    db.session.commit()

    upgraded("head")
    tables = tables_now().tables
    for name, row in kept:
        table = tables[RENAMED.get(name, name)]
        where = [table.c[key.name] == row[key.name] for key in inspect(table).primary_key]
        now = db.session.execute(table.select().where(*where)).mappings().one()
        assert {k: now[k] for k in row if (name, k) not in CHANGED} == {k: row[k] for k in row if (name, k) not in CHANGED}
    assert_as_the_models_say()
    if VERSIONS.index(version) < VERSIONS.index("0032"):
        sent, on_file = db.session.get_one(Message, 1), db.session.get_one(Message, 2)
        assert (sent.state, on_file.state) == (MessageState.SENT, MessageState.WRITTEN)
    if VERSIONS.index(version) < VERSIONS.index("0040"):
        sent, on_file = db.session.get_one(Message, 1), db.session.get_one(Message, 2)
        assert sent.result == {"code": "accepted", "words": "250 OK"}
        assert on_file.result == {"code": "file", "name": "2.eml"}
    assert_it_is_in_order()


def assert_it_is_in_order() -> None:
    """What the migrations made of it, and that one can go on with it."""
    assert db.session.get_one(Organisation, 1).owner_id == 1
    batch, row = db.session.get_one(Batch, 1), db.session.get_one(Row, 1)
    assert (batch.message, batch.part, batch.parts, batch.tally) == ("", 1, 1, None)
    assert (row.read_cells, row.why, batch.created_at) == ([], "", THEN.replace(tzinfo=UTC))
    assert [group.name for group in db.session.get_one(User, 2).groups] == ["Labs"]
    db.session.rollback()
    first_run.prepare()
    chain.start_over()  # the inserted event has no stamp
    chain.seal()
    verdict = chain.verify()
    assert not verdict.problems
    with pytest.raises(DBAPIError, match="only appended"):
        db.session.execute(AuditEvent.__table__.delete())
    db.session.rollback()


def insert(*wanted: str, **more: Any) -> None:
    """Of `ROWS`, those of these tables, as far as the version has their columns; committed. more: other values."""
    tables = tables_now().tables
    begin_write()
    for name, row in ROWS:
        if name in wanted:
            values = {k: v for k, v in (row | more).items() if k in tables[name].c}
            db.session.execute(tables[name].insert(), [values])
    db.session.commit()


SERVER = "The mail server mail.northfield.example:587"
MAYBE = "An earlier try broke off during the hand-over: it may have arrived"


MESSAGES: list[tuple[str, str, dict[str, Any]]] = [
    ("queued", "", {}),
    ("uncertain", "250 2.0.0 queued", {"code": "accepted", "words": "250 2.0.0 queued"}),
    ("queued", "451 4.7.1 Later.", {"code": "deferred", "words": "451 4.7.1 Later."}),
    ("failed", f"Mailbox full (552 5.2.2). {MAYBE}", {"code": "text", "text": "Mailbox full (552 5.2.2)", "maybe_sent": True}),
    (
        "failed",
        f"Put off by the mail server for a day ({SERVER} broke off (no answer in time))",
        {"code": "given_up", "answer": {"code": "broken", "server": SERVER, "cause": "no answer in time"}},
    ),
    (
        "failed",
        "The mail server takes 1,000 bytes a message, and this one has 2,345. Shorten its words.",
        {"code": "text", "text": "The mail server takes 1,000 bytes a message, and this one has 2,345. Shorten its text."},
    ),
    ("cancelled", "The link expired before its email went", {"code": "link_expired"}),
    ("failed", "Nobody knows.", {"code": "text", "text": "Nobody knows."}),
]
"""State and sentence of messages at version 0036, and what is stored in place of the sentence."""


def test_sentences_about_messages_become_codes(upgraded: Callable[[str], None]) -> None:
    upgraded("0036")
    insert("organisation", "roles", "groups", "users", "batches", "invitations", "rows")
    cause = f"{SERVER} cannot be reached (its certificate does not pass: expired)."
    insert("mail_gate", reason=cause)
    tables = tables_now().tables
    values = next(row for name, row in ROWS if name == "messages")
    for id, (state, sentence, _) in enumerate(MESSAGES, start=1):
        told = {"id": id, "message_id": f"<{id}@muster>", "state": state, "answer": sentence}
        db.session.execute(tables["messages"].insert(), [values | told])
    db.session.commit()
    upgraded("head")
    messages = db.session.scalars(select(Message).order_by(Message.id)).all()
    assert [message.result for message in messages] == [result for _, _, result in MESSAGES]
    for message, (_, sentence, _) in zip(messages, MESSAGES, strict=True):
        assert message.result_text.replace("its text", "its words").rstrip(".") == sentence.rstrip(".")
    assert db.session.scalars(select(MailCircuit)).one().cause_text == cause.replace("reached", "used")


def test_on_sqlite_no_table_gives_an_id_out_twice(upgraded: Callable[[str], None]) -> None:
    upgraded("0021")
    insert("roles", "users", "groups", "batches", "audit_events", "audit_chain", subject_type="groups", subject_id=40)
    upgraded("head")
    if db.engine.dialect.name == "postgresql":
        return
    made = dict(db.session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all())
    with_ids = {table.name for table in Base.metadata.sorted_tables if "id" in table.c} - ONE_ROW
    assert [name for name in sorted(with_ids) if "AUTOINCREMENT" not in made[name]] == []
    last = dict(db.session.execute(text("SELECT name, seq FROM sqlite_sequence")).all())
    assert (last["groups"], last["users"], last["messages"]) == (40, 3, 0), "also not those that only the log knows of"


def test_links_that_an_erased_person_has_too_are_renewed_and_the_others_stay(
    upgraded: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite gave the id of an erased person's invitation, and so its link, to the next one."""
    upgraded("0021")
    soon = datetime.now() + timedelta(days=1)
    insert("roles", "users", "groups", "batches", "audit_chain", "account_links", expires_at=soon)
    insert("invitations", id=7, email_key="reused@northfield.example", created_at=THEN)
    insert("invitations", id=8, email_key="fresh@northfield.example", created_at=THEN, token_hash="9" * 64)
    for id, at in ((1, THEN - timedelta(days=9)), (2, THEN)):
        insert("audit_events", id=id, at=at, subject_type="invitations", subject_id=7)
    insert("audit_events", id=3, at=THEN, subject_type="invitations", subject_id=8)
    with caplog.at_level(logging.WARNING):
        upgraded("head")
    invited = dict(db.session.execute(select(Invitation.id, Invitation.token_hash)).all())
    reset = db.session.execute(select(AccountLink.token_hash)).scalar_one()
    assert invited[8] == "9" * 64
    if db.engine.dialect.name == "sqlite":
        assert invited[7] != "c" * 64
        assert reset != "d" * 64
        assert "Resend them: /invitations/7/details" in caplog.text
        assert db.session.scalars(select(Invitation.nonce).order_by(Invitation.id)).all()[1] == ""
    else:
        assert (invited[7], reset) == ("c" * 64, "d" * 64)


def test_other_columns_of_files_that_were_confirmed_go(upgraded: Callable[[str], None]) -> None:
    upgraded("0027")
    insert("roles", "users", "groups", "audit_chain")
    for id, state in enumerate(("mapping", "reviewing", "queued", "finished", "discarded"), start=1):
        insert("batches", id=id, state=state)
        insert("rows", id=id, batch_id=id, invitation_id=None, read_cells=["jonas@northfield.example", "born 2010"])
    upgraded("head")
    kept = dict(db.session.execute(select(Row.batch_id, Row.read_cells)).all())
    assert [batch_id for batch_id, cells in sorted(kept.items()) if cells] == [1, 2]


def test_columns_of_files_are_kept_by_their_places(upgraded: Callable[[str], None]) -> None:
    upgraded("0043")
    insert("roles", "users", "groups", "batches", "audit_chain", "header_mappings")
    insert("batch_files", columns={"email": 1, "role": 0, "groups": 2, "more": [5], "members": [3, 4]})
    upgraded("head")
    uses = {"0": "role", "1": "email", "2": "groups", "3": "member", "4": "member", "5": "groups"}
    assert db.session.scalar(select(BatchFile.columns)) == uses
    remembered = db.session.scalars(select(HeaderMapping)).one()
    assert (remembered.columns, remembered.is_before_names) == ({"0": "email"}, True)
    assert db.session.scalar(select(Batch.columns)) == {"0": "email"}


def test_sentences_of_rows_become_codes(upgraded: Callable[[str], None]) -> None:
    upgraded("0033")
    insert("roles", "users", "groups", "batches", "audit_chain")
    twin = {"field": "email", "text": "Same email as row 7, with another role or groups.", "code": "twin"}
    role = {"field": "role", "text": "Not a role.", "code": "role", "suggestion": "Analyst", "old": "Analsyt", "new": "Analyst"}
    groups = {"field": "groups", "text": "2 groups do not exist.", "code": "group"}
    step = {"subject": ["user", 2], "act": "deactivate", "notes": [["role_kept", "File says Remote"], ["merge", "Only ..."]]}
    old = [
        ("", [twin, role], step),
        ("Changed since the review", [groups], {}),
        ("Inês may no longer invite", [{"field": "role", "text": "You cannot change an Admin: the role ranks above yours."}], {}),
        ("role Analyst to Remote; added Labs", [{"field": "email", "text": "Whatever an old version said."}], {}),
    ]
    for id, (reason, issues, planned) in enumerate(old, start=1):
        insert("rows", id=id, line=id, invitation_id=None, outcome="skipped", reason=reason, issues=issues, step=planned)
    upgraded("head")
    rows = db.session.scalars(select(Row).order_by(Row.id)).all()
    kept = {"suggestion": "Analyst", "old": "Analsyt", "new": "Analyst"}
    assert [row.issues for row in rows] == [
        [{"field": "email", "code": "duplicate_differs", "row": 7}, {"field": "role", "code": "role_unknown", **kept}],
        [{"field": "groups", "code": "groups_unknown", "n": 2}],
        [{"field": "role", "code": "rank", "role": "Admin"}],
        [{"field": "email", "code": "text", "text": "Whatever an old version said."}],
    ]
    assert [row.reason for row in rows] == [
        {}, {"code": "changed"}, {"code": "may_not_invite", "name": "Inês"},
        {"code": "text", "text": "Role Analyst to Remote; added Labs"},
    ]  # fmt: skip
    assert [row.why for row in rows[1:]] == [
        "Changed since the review", "Inês may no longer invite", "Role Analyst to Remote; added Labs",
    ]  # fmt: skip
    assert rows[3].problem == "Whatever an old version said."
    assert [(row.email_wrong, row.role_wrong, row.groups_wrong) for row in rows[:2]] == [
        (True, True, False),
        (False, False, True),
    ]
    assert rows[0].change.effect == "deactivate"
    assert rows[0].change.notes == ({"code": "role_kept", "role": "Remote"}, {"code": "merge"})


def test_names_of_actions_and_reverts_become_codes(upgraded: Callable[[str], None]) -> None:
    upgraded("0035")
    insert("roles", "users", "groups", "audit_chain")
    names = (
        ("upload", "staff.csv", 1),
        ("upload", "staff.csv, part 2 of 3", 3),
        ("action", "Change the role of 1,200 people to Exam officer", 1),
        ("action", "Remove “Library” from 1 person", 1),
        ("revert", "Revert of “Deactivate 12 people”", 1),
        ("action", "Whatever an old version said", 1),
    )
    for id, (kind, name, parts) in enumerate(names, start=1):
        insert("batches", id=id, kind=kind, name=name, part=2, parts=parts, facts=["comma-separated", "no header row"])
    upgraded("head")
    batches = db.session.scalars(select(Batch).order_by(Batch.id)).all()
    assert [batch.name for batch in batches] == [name for _, name, _ in names]
    assert [batch.file_name for batch in batches] == ["staff.csv", "staff.csv", "", "", "", ""]
    assert [batch.title for batch in batches[2:]] == [
        {"code": "set_role", "n": 1200, "role": "Exam officer"},
        {"code": "remove_group", "n": 1, "group": "Library"},
        {"code": "revert", "of": {"code": "deactivate", "n": 12}},
        {"code": "text", "text": "Whatever an old version said"},
    ]
    assert batches[0].reading == "comma-separated, no header row"


def test_a_database_of_a_newer_version_is_left_alone(upgraded: Callable[[str], None], caplog: pytest.LogCaptureFixture) -> None:
    upgraded("head")
    db.session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    db.session.commit()
    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit):
        upgraded("head")
    assert caplog.messages == [
        "Error: The database was made ready by a newer version of Muster (its revision is 9999, the newest known here is "
        f"{VERSIONS[-1]}). Start that version, or restore the backup from before the update."
    ]


def test_a_database_that_is_not_there_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = "postgresql://muster:hunter2@127.0.0.1:1/muster"
    settings = Settings.from_environment({"MUSTER_DATA_DIR": str(tmp_path), "MUSTER_DATABASE_URL": url})
    with create_app(settings).app_context(), caplog.at_level(logging.ERROR), pytest.raises(SystemExit):
        upgrade()
    (said,) = caplog.messages
    assert said.startswith("Error: The database cannot be reached: ")
    assert "hunter2" not in said
