"""The audit log: each event is added by the command that it is about, and shares its commit.

Everything that writes events is here, because each is stamped when it is written (`core.security.audit_hashes`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import current_app, has_request_context, request
from sqlalchemy import ColumnElement, Text, and_, cast, event, insert, or_, select, update
from sqlalchemy.orm import Mapper

from webapp.core.security import audit_hashes
from webapp.core.security.peers import place_of
from webapp.core.text.redact import Redactor
from webapp.db import begin_write, db, utcnow
from webapp.models import (
    AuditChain,
    AuditEvent,
    Batch,
    Group,
    Invitation,
    Message,
    Organisation,
    Role,
    User,
)
from webapp.settings.settings import Settings

Subject = User | Group | Invitation | Batch | Organisation | Role | Message

HOUR = timedelta(hours=1)
"""Within it a refusal that repeats is counted; only afterwards it is sealed."""
OF_ONE_PLACE, OF_STRANGERS, OF_ONE_PERSON = 20, 200, 100
"""Refusals within the hour that get a line of their own: from one place, of all who are not signed in, of one person."""
OTHERS = "(others)"


# Written, as part of a command


def record(
    actor: User | None, action: str, subject: Subject | None = None, **details: Any
) -> AuditEvent:
    """Add one event to the running transaction. Does not commit.

    details: JSON values, such as before and after; never a token, a link or a password. label: the subject in words where
    there is no such row.
    """
    label = _label(subject) if subject else str(details.pop("label", ""))
    made = AuditEvent(**_values(actor, action, label, _peer(), details))
    if subject:
        made.subject_type, made.subject_id = subject.__tablename__, subject.id
    db.session.add(made)
    return made


def record_many(
    actor: User | None,
    action: str,
    kind: type[Subject],
    subjects: Iterable[tuple[int, str]],
    own: Mapping[int, dict[str, Any]] | None = None,
    **details: Any,
) -> None:
    """Record the same for many subjects, each an id and what it is called, in one statement. Does not commit.

    own: details of single ones, by id. Costs a third of as many calls of `record`: 60 ms for 1,000 events.
    """
    stamping_keys = keys()
    peer = _peer()
    rows = []
    for subject_id, label in subjects:
        own_details = details | (own or {}).get(subject_id, {})
        values = _values(actor, action, label, peer, own_details)
        values["subject_type"] = kind.__tablename__
        values["subject_id"] = subject_id
        rows.append(values | audit_hashes.make_stamp(stamping_keys, values))
    if rows:
        db.session.execute(insert(AuditEvent), rows)


def _peer() -> str:
    return (request.remote_addr or "") if has_request_context() else ""


def _label(subject: Subject) -> str:
    for name in ("email", "recipient", "name"):
        if label := getattr(subject, name, None):
            return str(label)
    return ""


def _values(
    actor: User | None, action: str, label: str, address: str, details: dict[str, Any]
) -> dict[str, Any]:
    return {
        "at": utcnow(),
        "actor_id": actor.id if actor else None,
        "actor": actor.email if actor else "",
        "action": action,
        "subject_type": "",
        "subject_id": None,
        "subject": label[:320],
        "address": address[:64],
        "details": json.loads(json.dumps(details)),  # as the database gives it back
        "count": 1,
    }


# Stamped


def keys() -> list[bytes]:
    """Our key, which stamps, seals and signs, then those of before the server's key was changed. Needs no query."""
    settings: Settings = current_app.extensions["muster_settings"]
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    return [audit_hashes.derive_key(secret) for secret in secrets]


def values_of(one: AuditEvent) -> dict[str, Any]:
    """What an event says, by column."""
    return {name: getattr(one, name) for name in audit_hashes.FIELDS}


def stamp(one: AuditEvent) -> None:
    """Stamp an event that is not sealed yet for what it says now. Does not commit."""
    made = audit_hashes.make_stamp(keys(), values_of(one))
    one.personal = made["personal"]
    one.stamp = made["stamp"]


@event.listens_for(AuditEvent, "before_insert")
def _stamp_new(_: Mapper[AuditEvent], __: Any, one: AuditEvent) -> None:
    """At the last moment, so that a command may still add to an event that it has recorded."""
    stamp(one)


# Refusals


def count_refusal(action: str, user_id: int | None, label: str, address: str | None = None) -> None:
    """Record a refusal; the same one again within the hour is counted, not added. Commits.

    Nobody can fill the log with them: beyond the limits above, others are counted together as OTHERS. address: of the
    request, unless it has ended.
    """
    address = _peer() if address is None else address
    place = (address if user_id else place_of(address))[:64]
    begin_write()
    actor = db.session.get(User, user_id) if user_id else None
    recent = select(AuditEvent).where(
        AuditEvent.actor_id == user_id,
        AuditEvent.seq.is_(None),
        AuditEvent.at > utcnow() - HOUR,
        AuditEvent.action.endswith(".refused"),
    )
    events = db.session.scalars(recent).all()  # the limits keep them few
    known = {(one.action, one.subject, one.address): one for one in events}
    label = label[:320]
    if (action, label, place) not in known:
        here = [one for one in events if one.address == place]
        if len(events) >= (OF_ONE_PERSON if actor else OF_STRANGERS):
            label = OTHERS
            place = ""
        elif actor is None and len(here) >= OF_ONE_PLACE:
            label = OTHERS
    first = known.get((action, label, place))
    if first is None:
        values = _values(actor, action, label, place, {})
        db.session.add(AuditEvent(**values))
    else:
        first.count += 1
        first.details = {**first.details, "last_at": utcnow().isoformat()}
        stamp(first)
    db.session.commit()


# Erasing a person


@contextmanager
def unlock() -> Iterator[None]:
    """Let what is done within change and delete sealed events. Only for erasing and pruning. Does not commit."""
    db.session.flush()
    db.session.execute(update(AuditChain).values(unlocked=True))
    yield
    db.session.flush()
    db.session.execute(update(AuditChain).values(unlocked=False))


def find_names(user: User) -> set[str]:
    """The e-mails and names under which this person is in the log: those they have, and those that they had before."""
    acted = select(AuditEvent.actor).where(AuditEvent.actor_id == user.id).distinct()
    named = select(AuditEvent.subject).where(_is_about(user)).distinct()
    invited = select(Invitation.email).where(
        or_(Invitation.user_id == user.id, Invitation.email_key == user.email_key)
    )
    found = {user.email, user.name}
    for query in (acted, named, invited):
        texts = db.session.scalars(query)
        found.update(text for text in texts if "@" in text)
    details = select(AuditEvent.details).where(_is_about(user))
    for each in db.session.scalars(details):
        for side in (each.get("before"), each.get("after")):
            if isinstance(side, dict):
                found.add(str(side.get("email") or ""))
                found.add(str(side.get("name") or ""))
    return found - {""}


def erase_names(user: User, redactor: Redactor) -> int:
    """Replace a person's e-mails and names in the log by the pseudonym; the whole log is read. Does not commit.

    Call it while the user still has them, and record the erasure itself once they are gone. The chain stays whole: stamps
    hold digests of these words, and what takes their place is marked as ours. Returns the number of events changed.
    """
    db.session.flush()
    names = []
    for word in redactor.all:
        as_json = json.dumps(word)[1:-1]
        names += [
            AuditEvent.actor.icontains(word, autoescape=True),
            AuditEvent.subject.icontains(word, autoescape=True),
            cast(AuditEvent.details, Text).icontains(word, autoescape=True),
            cast(AuditEvent.details, Text).icontains(as_json, autoescape=True),
        ]
    touched = or_(AuditEvent.actor_id == user.id, _is_about(user), *names)
    with unlock():
        events = db.session.scalars(select(AuditEvent).where(touched)).all()
        return sum(_erase_from_event(one, user, redactor) for one in events)


def _is_about(user: User) -> ColumnElement[bool]:
    return and_(AuditEvent.subject_type == User.__tablename__, AuditEvent.subject_id == user.id)


def _erase_from_event(one: AuditEvent, user: User, redactor: Redactor) -> bool:
    is_own = one.subject_type == User.__tablename__ and one.subject_id == user.id
    after = {
        "actor": redactor.pseudonym if one.actor_id == user.id else redactor(one.actor),
        "subject": redactor.pseudonym if is_own else redactor(one.subject)[:320],
        "details": redactor(one.details),
    }
    personal = dict(one.personal)
    is_changed = False
    for name, value in after.items():
        before = getattr(one, name)
        if value == before:
            continue
        is_changed = True
        setattr(one, name, value)
        # What somebody else changed before is erased, too, but gets no mark that would hide it.
        digest = personal.get(name)
        if digest and audit_hashes.field_matches(keys(), name, before, digest):
            personal[name] = audit_hashes.erase_field(keys(), name, value, digest)
    one.personal = personal
    return is_changed
