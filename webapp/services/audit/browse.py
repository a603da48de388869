"""Searches, words and exports the audit log. Only an export is recorded."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, literal, or_, select, tuple_

from webapp.core.text import audit_phrases
from webapp.core.text.audit_phrases import Sentence
from webapp.db import begin_write, binary_order, db, utcnow
from webapp.models import AuditEvent, Batch, Group, Invitation, Role, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.settings import in_force

PAGE = 50
CHUNK = 500
"""Events that an export reads at once."""
ACTORS = 200
"""People offered in the filter, by name."""
ITSELF = "muster"
"""Who did it, where nobody did."""

AREAS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "people": ("People", ("user", "email", "password", "password_reset", "second_factor")),
    "invitations": ("Invitations", ("invitation", "message", "messages")),
    "uploads": ("Uploads", ("batch", "columns", "alias")),
    "groups": ("Device groups", ("group",)),
    "roles": ("Roles", ("role", "ownership")),
    "sign-ins": ("Sign-ins", ("session", "owner_link")),
    "settings": ("Settings", ("setup", "organisation", "setting", "settings")),
    "log": ("Audit log", ("audit",)),
}
"""What the filter offers: its words, and the nouns of actions that belong to it."""
REFUSALS = "refusals"


@dataclass(frozen=True, slots=True)
class Filter:
    """What is shown of the log. Each field that is empty leaves out nothing.

    action: a key of AREAS, REFUSALS, or one action by its own name. actor: a user's id, or ITSELF. about: a table and an id.
    first, last: days in the portal's time zone. newest: so many days up to now.
    """

    search: str = ""
    action: str = ""
    actor: int | str | None = None
    about: tuple[str, int] | None = None
    newest: int | None = None
    first: date | None = None
    last: date | None = None

    @property
    def is_on(self) -> bool:
        return self != Filter()


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit event with today's names, its sentence and its batch. who, whom: names, or the words that were recorded.

    is_there: whether its subject still has a page. batch: of which it was a part.
    """

    event: AuditEvent
    who: str
    whom: str
    story: Sentence
    is_there: bool
    batch: Batch | None = None

    @property
    def sentence(self) -> str:
        return self.story.text(self.whom)

    @property
    def is_refusal(self) -> bool:
        return self.event.action.endswith(".refused")

    @property
    def sides(self) -> list[tuple[str, Any, Any]]:
        """A changed field: its name, before and after; before is None if only the new value is known."""
        before, after = (self.event.details.get(side) for side in ("before", "after"))
        if not isinstance(before, dict) or not isinstance(after, dict):
            before, after = (
                {"": side} if side is not None and not isinstance(side, dict) else side or {}
                for side in (before, after)
            )
        names = dict.fromkeys((*before, *after))
        return [
            (
                audit_phrases.words(name).capitalize(),
                _read(before.get(name)),
                _read(after.get(name)),
            )
            for name in names
        ]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """The details other than before and after, as label and value."""
        shown = {
            name: of
            for name, of in self.event.details.items()
            if name not in ("before", "after") and of is not None
        }
        if self.batch:
            shown.pop("batch", None)
        return [
            (audit_phrases.words(name).capitalize(), audit_phrases.value(_read(of)))
            for name, of in shown.items()
        ]


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the log, newest first. next: the id to go on from, None at the end."""

    entries: Sequence[Entry]
    next: int | None

    def by_day(self) -> list[tuple[date, list[Entry]]]:
        """The entries of each day, in the portal's time zone."""
        zone = in_force.settings().time_zone
        days: dict[date, list[Entry]] = {}
        for entry in self.entries:
            days.setdefault(entry.event.at.astimezone(zone).date(), []).append(entry)
        return list(days.items())


def listing(wanted: Filter, before: int | None = None) -> Listing:
    """A page of what the filter finds; a few queries, however long the log is. before: the id after which it goes on."""
    found = list(db.session.scalars(_newest_first(wanted, before).limit(PAGE + 1)))
    shown = found[:PAGE]
    return Listing(entries(shown), shown[-1].id if len(found) > PAGE else None)


def entries(found: Sequence[AuditEvent]) -> list[Entry]:
    """Add current names and batches to events; one query per kind of subject."""
    actors = {event.actor_id for event in found if event.actor_id}
    subjects: defaultdict[str, set[int]] = defaultdict(set)
    for event in found:
        if event.subject_id:
            subjects[event.subject_type].add(event.subject_id)
    people = select(User.id, User.name).where(User.id.in_(actors | subjects["users"]))
    names = dict(db.session.execute(people).all()) if found else {}
    uploads = {
        event.details["batch"] for event in found if isinstance(event.details.get("batch"), int)
    }
    batches = (
        {
            batch.id: batch
            for batch in db.session.scalars(select(Batch).where(Batch.id.in_(uploads)))
        }
        if uploads
        else {}
    )
    there = {
        (kind.__tablename__, subject_id)
        for kind in _WITH_A_PAGE
        for subject_id in _existing(kind, subjects[kind.__tablename__])
    }
    return [_entry(event, names, batches, there) for event in found]


_WITH_A_PAGE = (User, Batch, Group, Invitation, Role)


def _existing(kind: Any, ids: Collection[int]) -> Iterable[int]:
    return db.session.scalars(select(kind.id).where(kind.id.in_(ids))) if ids else ()


def _entry(
    event: AuditEvent,
    names: Mapping[int, str],
    batches: Mapping[int, Batch],
    there: Collection[tuple[str, int | None]],
) -> Entry:
    who = (
        names.get(event.actor_id or 0)
        or event.actor
        or ("Not signed in" if event.action.endswith(".refused") else "Muster")
    )
    whom = names.get(event.subject_id or 0, "") if event.subject_type == User.__tablename__ else ""
    whom = whom or event.subject
    shown = audit_phrases.describe(event.action, event.details, event.count, whom)
    is_there = (event.subject_type, event.subject_id) in there
    return Entry(event, who, whom, shown, is_there, batches.get(event.details.get("batch", 0)))


def actors() -> list[tuple[int, str]]:
    """The people who appear as actors in the log, sorted by name. One query."""
    did = select(AuditEvent.id).where(AuditEvent.actor_id == User.id).exists()
    query = (
        select(User.id, User.name)
        .where(did)
        .order_by(binary_order(User.name), User.id)
        .limit(ACTORS)
    )
    return list(db.session.execute(query))


# Found


def _newest_first(wanted: Filter, before: int | None = None) -> Any:
    query = select(AuditEvent).where(*_conditions(wanted))
    if before:
        edge = select(AuditEvent.at).where(AuditEvent.id == before).scalar_subquery()
        query = query.where(tuple_(AuditEvent.at, AuditEvent.id) < tuple_(edge, literal(before)))
    return query.order_by(AuditEvent.at.desc(), AuditEvent.id.desc())


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.action == REFUSALS:
        found.append(AuditEvent.action.like("%.refused"))
    elif wanted.action in AREAS:
        found.append(
            or_(
                *(
                    AuditEvent.action.startswith(f"{noun}.", autoescape=True)
                    for noun in AREAS[wanted.action][1]
                )
            )
        )
    elif wanted.action:
        found.append(AuditEvent.action == wanted.action)
    if wanted.actor == ITSELF:
        found += [AuditEvent.actor_id.is_(None), AuditEvent.action.not_like("%.refused")]
    elif wanted.actor:
        found.append(AuditEvent.actor_id == wanted.actor)
    if wanted.about:
        found += [
            AuditEvent.subject_type == wanted.about[0],
            AuditEvent.subject_id == wanted.about[1],
        ]
    return (
        found
        + _within(wanted)
        + ([_says(" ".join(wanted.search.split()))] if wanted.search.strip() else [])
    )


def _within(wanted: Filter) -> list[ColumnElement[bool]]:
    found = [AuditEvent.at >= utcnow() - timedelta(days=wanted.newest)] if wanted.newest else []
    if wanted.first:
        found.append(AuditEvent.at >= _midnight(wanted.first))
    if wanted.last:
        found.append(AuditEvent.at < _midnight(wanted.last + timedelta(days=1)))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), in_force.settings().time_zone)


def _says(words: str) -> ColumnElement[bool]:
    """The SQL condition of the search: words in actor, subject, address, details or a person's name."""
    named = select(User.id).where(User.name.icontains(words, autoescape=True))
    details = cast(AuditEvent.details, Text).icontains(json.dumps(words)[1:-1], autoescape=True)
    texts = (AuditEvent.actor, AuditEvent.subject, AuditEvent.address)
    return or_(
        *(text.icontains(words, autoescape=True) for text in texts),
        details,
        AuditEvent.actor_id.in_(named),
        (AuditEvent.subject_type == User.__tablename__) & AuditEvent.subject_id.in_(named),
    )


# Exported


def each(wanted: Filter) -> Iterator[Entry]:
    """All that the filter finds, newest first, a chunk at a time; no transaction stays open between two of them."""
    before: int | None = None
    newest = db.session.scalar(_newest_first(wanted).with_only_columns(AuditEvent.at).limit(1))
    while True:  # what is recorded meanwhile is newer than where it began
        query = _newest_first(wanted, before).where(AuditEvent.at <= newest) if newest else None
        found = list(db.session.scalars(query.limit(CHUNK))) if query is not None else []
        shown = entries(found)
        db.session.expunge_all()
        db.session.rollback()
        yield from shown
        if len(found) < CHUNK:
            return
        before = found[-1].id


HEADER = (
    "Time", "Done by", "Email", "What happened", "Times", "About", "From", "Before", "After", "Details",
    "Action", "Entry", "Seal",
)  # fmt: skip


def row(entry: Entry) -> tuple[str, ...]:
    """A line of the CSV file, under HEADER."""
    event, details = entry.event, dict(entry.event.details)
    before, after = details.pop("before", None), details.pop("after", None)
    return (
        _local(event.at, exactly=True), entry.who, event.actor, entry.sentence, str(event.count), event.subject, event.address,
        *("" if shown in (None, {}) else shown if isinstance(shown, str) else _json(shown) for shown in (before, after, details)),
        event.action, str(event.id), str(event.seq or ""),
    )  # fmt: skip


def line(entry: Entry) -> str:
    """A line of the JSON lines file: the event as it is stored, with names and sentence."""
    event = entry.event
    return _json(
        {
            "id": event.id,
            "at": event.at.astimezone(UTC).isoformat(),
            "actor": {"id": event.actor_id, "email": event.actor, "name": entry.who},
            "action": event.action,
            "subject": {"type": event.subject_type, "id": event.subject_id, "text": event.subject},
            "sentence": entry.sentence,
            "from": event.address,
            "details": event.details,
            "count": event.count,
            "seal": {"seq": event.seq, "link": event.link} if event.seq else None,
        }
    )


def lines(found: Iterable[Entry]) -> Iterator[bytes]:
    """The JSON lines file."""
    return (f"{line(entry)}\n".encode() for entry in found)


def _json(shown: Any) -> str:
    return json.dumps(shown, ensure_ascii=False, separators=(", ", ": "))


def _read(of: Any) -> Any:
    """A value of details; a moment in the portal's time zone."""
    return (
        _local(datetime.fromisoformat(of)) if isinstance(of, str) and _MOMENT.fullmatch(of) else of
    )


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")


def _local(at: datetime, exactly: bool = False) -> str:
    local = at.astimezone(in_force.settings().time_zone)
    return (
        local.isoformat(sep=" ", timespec="seconds")
        if exactly
        else f"{local.day} {local:%B %Y, %H:%M:%S}"
    )


def record_export(
    by_id: int, address: str, form: str, wanted: Mapping[str, str], count: int
) -> None:
    """Record an export of what this filter finds. Runs after the response. Commits."""
    begin_write()
    by = db.session.get(User, by_id)
    events.record(
        by, AuditAction.AUDIT_EXPORTED, form=form, filter=dict(wanted), events=count
    ).address = address
    db.session.commit()
