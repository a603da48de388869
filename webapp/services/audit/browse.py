"""Searches the audit log, puts its events into words, and exports them. Only an export is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, or_, select

from webapp.core.files.csv_writer import write_lines
from webapp.core.lists.paging import searched
from webapp.core.text import audit_phrases
from webapp.core.text.formatting import full
from webapp.db import begin_write, binary_order, db, utcnow
from webapp.models import AuditEvent, Batch, Endpoint, Group, Invitation, Role, User, UserKind
from webapp.schemas.audit import ITSELF, LogFilterSchema
from webapp.services.audit import events
from webapp.services.settings import in_force

PAGE = 50
CHUNK = 500
"""Events that an export reads at once."""
ACTORS = 200
"""People offered in the filter, by name."""

AREAS = {
    "people": (
        "People",
        ("user", "email", "password", "password_reset", "second_factor"),
    ),
    "invitations": ("Invitations", ("invitation", "message", "messages")),
    "uploads": ("Uploads", ("batch", "columns", "alias")),
    "programs": ("Programs", ("token", "service_account")),
    "groups": ("Device groups", ("group",)),
    "roles": ("Roles", ("role", "ownership")),
    "sign-ins": ("Sign-ins", ("session", "sso", "identity", "owner_link")),
    "settings": (
        "Settings",
        ("setup", "organisation", "setting", "settings", "webhook"),
    ),
    "log": ("Audit log", ("audit",)),
}
"""What the filter offers: its words, and the nouns of actions that belong to it."""
REFUSALS = "refusals"


Filter = Mapping[str, Any]
"""What is shown of the log, as `schemas.audit.LogFilterSchema` loads it."""
Ref = tuple[str, int | None]
"""A table, and the id of a row there."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit event in words, with today's names.

    at: in the portal's time zone. who, whom: names, or what was recorded then. parts: the sentence around `whom`, or one part
    that does not name it. is_there: whether the subject still has a page. batch: the upload that it was part of.
    """

    event: AuditEvent
    at: datetime
    who: str
    whom: str
    parts: list[str]
    is_there: bool
    batch: Batch | None

    @property
    def sentence(self) -> str:
        return self.whom.join(self.parts)

    @property
    def time(self) -> str:
        return str(self.at)

    @property
    def day(self) -> date:
        return self.at.date()

    @property
    def changes(self) -> list[tuple[str, Any, Any]]:
        """Each changed field: its name, before and after. Lists stay lists; None where only the other side is known."""
        changes = []
        for name, before, after in audit_phrases.compare(self.event.details):
            changes.append((_label(name), _show(before), _show(after)))
        return changes

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The other details, as label and value."""
        facts = []
        for name, value in self.event.details.items():
            if name in ("before", "after", "batch") or value is None:
                continue
            text = audit_phrases.value(_show(value))
            facts.append((_label(name), text))
        return facts


def _label(name: str) -> str:
    return audit_phrases.words(name).capitalize()


def _show(value: Any) -> Any:
    """A value of details; a moment is shown in the portal's time zone."""
    if value is None or isinstance(value, list):
        return value
    with suppress(TypeError, ValueError):
        at = datetime.fromisoformat(value)
        if at.tzinfo:
            return full(at, in_force.settings().time_zone)
    return audit_phrases.value(value)


def list_page(
    wanted: Filter,
    before: int | None = None,
    size: int = PAGE,
) -> tuple[list[Entry], int | None]:
    """A page of what the filter finds, newest first, and the id to go on from, None at the end.

    Costs the same however long the log is. before: the id that the last page ended with.
    """
    query = select(AuditEvent).where(*_conditions(wanted))
    if before:
        query = query.where(AuditEvent.id < before)
    newest = query.order_by(AuditEvent.id.desc())
    found = db.session.scalars(newest.limit(size + 1)).all()
    entries = describe_events(found[:size])
    is_last = len(found) <= size
    return entries, None if is_last else found[size - 1].id


def list_sealed(after: int, limit: int) -> list[Entry]:
    """Up to so many sealed entries above a place in the chain, in its order."""
    sealed = select(AuditEvent).where(AuditEvent.seq > after).order_by(AuditEvent.seq)
    return describe_events(db.session.scalars(sealed.limit(limit)).all())


def in_runs(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries, those together that one upload made one after another on one day."""
    return [list(run) for _, run in groupby(entries, key=_run_of)]


def _run_of(entry: Entry) -> tuple[Any, ...]:
    batch = entry.batch
    return (entry.day, entry.who, batch.id) if batch else (entry.event.id,)


def describe_events(found: Sequence[AuditEvent]) -> list[Entry]:
    """Add sentences, current names and uploads to events; one query per kind of subject."""
    refs: set[Ref] = set()
    for event in found:
        refs.add((event.subject_type, event.subject_id))
        refs.add(("users", event.actor_id))
        refs.add(("batches", event.details.get("batch")))
    there: dict[Ref, Any] = {}
    models: tuple[Any, ...] = (User, Batch, Group, Invitation, Role, Endpoint)
    for model in models:
        table = model.__tablename__
        ids = [each_id for kind, each_id in refs if kind == table]
        query = select(model).where(model.id.in_(ids))
        for each in db.session.scalars(query):
            there[table, each.id] = each
    return [_describe_event(event, there) for event in found]


def _describe_event(event: AuditEvent, there: Mapping[Ref, Any]) -> Entry:
    local = event.at.astimezone(in_force.settings().time_zone)
    actor = there.get(("users", event.actor_id))
    who = actor.name if actor else event.actor
    if not who:
        who = "Not signed in" if event.action.endswith(".refused") else "Muster"
    subject = there.get((event.subject_type, event.subject_id))
    whom = subject.name if isinstance(subject, User) else event.subject
    return Entry(
        event=event,
        at=local.replace(microsecond=0),
        who=who,
        whom=whom,
        parts=audit_phrases.describe(event.action, event.details, event.count, whom),
        is_there=subject is not None and not _is_program(subject),
        batch=there.get(("batches", event.details.get("batch"))),
    )


def _is_program(subject: Any) -> bool:
    """Whether it is a service account, which has no page of a person."""
    return isinstance(subject, User) and subject.kind is UserKind.SERVICE


def list_actors() -> list[tuple[int, str]]:
    """The people who appear as actors in the log, sorted by name. One query."""
    did = select(AuditEvent.id).where(AuditEvent.actor_id == User.id)
    query = (
        select(User.id, User.name)
        .where(did.exists())
        .order_by(binary_order(User.name), User.id)
        .limit(ACTORS)
    )
    return list(db.session.execute(query))


# Found


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    is_refusal = AuditEvent.action.endswith(".refused")
    action = wanted.get("action", "")
    by = wanted.get("by")
    if action == REFUSALS:
        found.append(is_refusal)
    elif action in AREAS:
        _, nouns = AREAS[action]
        belongs = [AuditEvent.action.startswith(f"{noun}.") for noun in nouns]
        found.append(or_(*belongs))
    elif action:
        found.append(AuditEvent.action == action)
    if by == ITSELF:
        found.append(AuditEvent.actor_id.is_(None))
        found.append(~is_refusal)
    elif by:
        found.append(AuditEvent.actor_id == int(by))
    if about := wanted.get("about"):
        subjects = []
        for subject in about.split(","):
            kind, _, subject_id = subject.partition("-")
            is_kind = AuditEvent.subject_type == kind
            subjects.append(is_kind & (AuditEvent.subject_id == int(subject_id)))
        found.append(or_(*subjects))
    if days := wanted.get("days"):
        since = utcnow() - timedelta(days=days)
        found.append(AuditEvent.at >= since)
    if first := wanted.get("first"):
        found.append(AuditEvent.at >= _midnight(first))
    if last := wanted.get("last"):
        following = last + timedelta(days=1)
        found.append(AuditEvent.at < _midnight(following))
    if words := searched(wanted.get("q", "")):
        found.append(_says(words))
    return found


def _midnight(day: date) -> datetime:
    zone = in_force.settings().time_zone
    return datetime.combine(day, time(), zone)


def _says(words: str) -> ColumnElement[bool]:
    """The SQL condition of the search: words in actor, subject, address, details or a person's name."""
    is_named = User.name.icontains(words, autoescape=True)
    named = select(User.id).where(is_named)
    is_user = AuditEvent.subject_type == User.__tablename__
    as_json = json.dumps(words)[1:-1]
    found = [
        cast(AuditEvent.details, Text).icontains(as_json, autoescape=True),
        AuditEvent.actor_id.in_(named),
        is_user & AuditEvent.subject_id.in_(named),
    ]
    for column in (AuditEvent.actor, AuditEvent.subject, AuditEvent.address):
        found.append(column.icontains(words, autoescape=True))
    return or_(*found)


# Exported


FIELDS = {
    "id": "event.id",
    "time": "time",
    "done_by": "who",
    "email": "event.actor",
    "what_happened": "sentence",
    "times": "event.count",
    "about": "event.subject",
    "from": "event.address",
    "details": "event.details",
    "action": "event.action",
    "actor_id": "event.actor_id",
    "subject_type": "event.subject_type",
    "subject_id": "event.subject_id",
    "seal": "event.seq",
    "link": "event.link",
}
"""The fields of a line of JSON, and where an Entry holds each. The headings of the CSV file are the same words."""
_read_fields = attrgetter(*FIELDS.values())


def export(wanted: Filter, form: str, by: User) -> Iterator[bytes]:
    """Record an export, and return the file: all that the filter finds, newest first. Commits. form: csv or jsonl."""
    begin_write()
    event = events.record(
        by,
        "audit.exported",
        form=form,
        filter=LogFilterSchema().dump(wanted),
    )
    db.session.flush()
    rows = _read_rows(wanted, event.id)
    db.session.commit()
    if form == "csv":
        header = [_label(name) for name in FIELDS]
        return write_lines(header, map(_list_cells, rows))
    return map(_json_line, rows)


def _read_rows(
    wanted: Filter,
    before: int | None,
) -> Iterator[Sequence[Any]]:
    """Read the values of FIELDS chunk by chunk. No transaction stays open between two chunks."""
    while before:
        entries, before = list_page(wanted, before, CHUNK)
        rows = [_read_fields(entry) for entry in entries]
        db.session.rollback()
        yield from rows


def _list_cells(row: Sequence[Any]) -> list[str]:
    cells = []
    for each in row:
        cells.append(each if isinstance(each, str) else _json(each))
    return cells


def _json_line(row: Sequence[Any]) -> bytes:
    content = dict(zip(FIELDS, row, strict=True))
    return f"{_json(content)}\n".encode()


def _json(value: Any) -> str:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False)
