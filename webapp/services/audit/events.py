"""The audit log: events are added by the command that they tell of and share its commit.

Whatever writes events stands here, since each is stamped as it is written (`core.security.audit_hashes`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, timedelta
from enum import StrEnum
from typing import Any

from flask import current_app, has_request_context, request
from sqlalchemy import (
    ColumnElement,
    Select,
    Text,
    and_,
    cast,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapper

from webapp.core.security import audit_hashes
from webapp.core.security.peers import place_of
from webapp.core.text.redact import Redactor
from webapp.db import begin_write, db, in_json, utcnow
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
from webapp.services.audit.actions import AuditAction
from webapp.settings.settings import Settings

Subject = User | Group | Invitation | Batch | Organisation | Role | Message

HOUR = timedelta(hours=1)
"""Within it a refusal that repeats is counted; only afterwards it is sealed."""
OF_ONE_PLACE, OF_STRANGERS, OF_ONE_PERSON = 20, 200, 100
"""Refusals within the hour that get a line of their own: from one place, of all who are not signed in, of one person."""
OTHERS = "(others)"


# Written, as part of a command


def record(
    actor: User | None, action: AuditAction, subject: Subject | None = None, **details: Any
) -> AuditEvent:
    """Add one event to the running transaction; the caller commits.

    details: JSON values, such as before and after; never a token, a link or a password. label: the subject in words where
    there is no such row.
    """
    words = _label(subject) if subject else str(details.pop("label", ""))
    kind, subject_id = (subject.__tablename__, subject.id) if subject else ("", None)
    made = AuditEvent(**_values(actor, action, kind, subject_id, words, _peer(), details))
    db.session.add(made)
    return made


def record_many(
    actor: User | None,
    action: AuditAction,
    kind: type[Subject],
    subjects: Iterable[tuple[int, str]],
    own: Mapping[int, dict[str, Any]] | None = None,
    **details: Any,
) -> None:
    """The same for many subjects, each an id and what it is called, in one statement. own: details of single ones, by id."""
    same, by = _values(actor, action, kind.__tablename__, None, "", _peer(), details), key()

    def merge_details(subject_id: int) -> dict[str, Any]:
        return {**same["details"], **(own or {}).get(subject_id, {})}

    rows = [
        _with_stamp(
            {
                **same,
                "subject_id": subject_id,
                "subject": words[:320],
                "details": merge_details(subject_id),
            },
            by,
        )
        for subject_id, words in subjects
    ]
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
    actor: User | None,
    action: StrEnum,
    kind: str,
    subject_id: int | None,
    words: str,
    address: str,
    details: dict[str, Any],
) -> dict[str, Any]:
    return {
        "at": utcnow(),
        "actor_id": actor.id if actor else None,
        "actor": actor.email if actor else "",
        "action": action.value,
        "subject_type": kind,
        "subject_id": subject_id,
        "subject": words[:320],
        "address": address[:64],
        "details": json.loads(json.dumps(details)),  # as the database gives it back
        "count": 1,
    }


# Stamped


def key() -> bytes:
    """The key that stamps, seals and signs. Needs no query: it is asked for within a flush."""
    return all_keys()[0]


def all_keys() -> list[bytes]:
    """The keys that count when the log is checked: ours, then those of before the server's key was changed."""
    settings: Settings = current_app.extensions["muster_settings"]
    return [
        audit_hashes.derive_key(secret)
        for secret in (settings.secret_key, *settings.secret_key_fallbacks)
    ]


def facts(values: dict[str, Any]) -> dict[str, Any]:
    """The fields of an event that its stamp covers in plain form."""
    named = ("actor_id", "action", "subject_type", "subject_id", "address", "count")
    return {
        "at": values["at"].astimezone(UTC).isoformat(),
        **{name: values[name] for name in named},
    }


def _with_stamp(values: dict[str, Any], by: bytes) -> dict[str, Any]:
    personal = {
        name: audit_hashes.digest_field(by, name, values[name], secrets.token_hex(8))
        for name in audit_hashes.PERSONAL
    }
    return {
        **values,
        "personal": personal,
        "stamp": audit_hashes.digest_event(by, facts(values), personal),
    }


def stamp(one: AuditEvent) -> None:
    """Part of a command, on an event that is not sealed yet: its stamp stands for what it says now."""
    for name, value in _with_stamp(values_of(one), key()).items():
        setattr(one, name, value)


def values_of(one: AuditEvent) -> dict[str, Any]:
    """What an event says, by column."""
    names = (
        "at",
        "actor_id",
        "actor",
        "action",
        "subject_type",
        "subject_id",
        "subject",
        "address",
        "details",
        "count",
    )
    return {name: getattr(one, name) for name in names}


@event.listens_for(AuditEvent, "before_insert")
def _stamp_new(_: Mapper[AuditEvent], __: Any, one: AuditEvent) -> None:
    """At the last moment, so that a command may still add to an event that it has recorded."""
    stamp(one)


# Commands


def count_refusal(
    action: StrEnum, actor: User | None, label: str, address: str, **details: Any
) -> None:
    """Write a refusal to the audit log; the same one again within the hour is counted, not appended.

    Nobody can fill the log with them: beyond the limits above, others are counted together as OTHERS.
    """
    address = place_of(address) if actor is None else address
    begin_write()
    if not _count_again(action, actor, label[:320], address[:64]):
        if (shared := _address_of_others(actor, address[:64])) is not None:
            label, address, details = OTHERS, shared, {}
        if label != OTHERS or not _count_again(action, actor, label, address):
            db.session.add(AuditEvent(**_values(actor, action, "", None, label, address, details)))
    db.session.commit()


def _count_again(action: StrEnum, actor: User | None, label: str, address: str) -> bool:
    """Count the same refusal within the hour once more. False where there is none."""
    same = _recent_refusals(actor).where(
        AuditEvent.action == action.value,
        AuditEvent.subject == label,
        AuditEvent.address == address,
    )
    first = db.session.scalar(same.order_by(AuditEvent.id.desc()).limit(1))
    if first is None:
        return False
    first.count += 1
    first.details = {**first.details, "last_at": utcnow().isoformat()}
    stamp(first)
    return True


def _address_of_others(actor: User | None, address: str) -> str | None:
    """The address that collects further refusals; None while this one may have an event of its own."""
    rows = _recent_refusals(actor).with_only_columns(func.count()).order_by(None)
    here = rows.where(AuditEvent.address == address)
    if actor is not None:
        return "" if (db.session.scalar(rows) or 0) >= OF_ONE_PERSON else None
    if (db.session.scalar(rows) or 0) >= OF_STRANGERS:
        return ""
    return address if (db.session.scalar(here) or 0) >= OF_ONE_PLACE else None


def _recent_refusals(actor: User | None) -> Select[AuditEvent]:
    """The refusals within the hour that are not sealed yet, of this person or of all who are not signed in."""
    whose = AuditEvent.actor_id.is_(None) if actor is None else AuditEvent.actor_id == actor.id
    of_late = (
        AuditEvent.seq.is_(None),
        AuditEvent.at > utcnow() - HOUR,
        AuditEvent.action.like("%.refused"),
    )
    return select(AuditEvent).where(whose, *of_late)


# Erasing a person


@contextmanager
def unlock() -> Iterator[None]:
    """Part of a command: what is done within may change and delete sealed events. Only for erasing and pruning."""
    db.session.flush()
    db.session.execute(update(AuditChain).values(unlocked=True))
    yield
    db.session.flush()
    db.session.execute(update(AuditChain).values(unlocked=False))


def find_names(user: User) -> set[str]:
    """The e-mails and names under which this person is in the log: those they have, and those that they had before."""
    acted = select(AuditEvent.actor).where(AuditEvent.actor_id == user.id).distinct()
    named = select(AuditEvent.subject).where(*_is_about(user.id)).distinct()
    invited = select(Invitation.email).where(
        or_(Invitation.user_id == user.id, Invitation.email_key == user.email_key)
    )
    found = {
        text
        for query in (acted, named, invited)
        for text in db.session.scalars(query)
        if "@" in text
    }
    for details in db.session.scalars(select(AuditEvent.details).where(*_is_about(user.id))):
        for side in (details.get("before"), details.get("after")):
            if isinstance(side, dict):
                found |= {side[key] for key in ("email", "name") if isinstance(side.get(key), str)}
    return (found | {user.email, user.name}) - {""}


def events_naming(user: User, known: Collection[str], since: int = 0) -> list[int]:
    """The events by or about this user, or that may hold one of these words; the whole log is read. since: newer than this."""
    columns = (AuditEvent.actor, AuditEvent.subject, cast(AuditEvent.details, Text))
    named = [
        text.icontains(part, autoescape=True)
        for text in columns
        for word in known
        for part in {word, _in_json(word)}
    ]
    touched = or_(AuditEvent.actor_id == user.id, and_(*_is_about(user.id)), *named)
    return list(db.session.scalars(select(AuditEvent.id).where(touched, AuditEvent.id > since)))


def erase_names(
    user: User,
    pseudonym: str,
    known: Collection[str] | None = None,
    events: Collection[int] | None = None,
) -> int:
    """Replace a person's e-mails and names in the log by the pseudonym; the number of events changed. Does not commit.

    Call it while the user still has them, and record the erasure itself once they are gone. known: their e-mails and names,
    `known_as` unless given. events: `events_naming` unless given. The chain stays whole: stamps hold digests of these words,
    and what takes their place is marked as ours.
    """
    db.session.flush()
    texts = find_names(user) if known is None else set(known)
    words = Redactor(
        {text for text in texts if "@" in text},
        {text for text in texts if "@" not in text},
        pseudonym,
    )
    ids = events_naming(user, texts) if events is None else events
    n = 0
    with unlock():
        for event in db.session.scalars(
            select(AuditEvent).where(in_json(AuditEvent.id, ids))
        ).all():
            n += _erase_from_event(event, user.id, words)
    return n


def _is_about(user_id: int) -> tuple[ColumnElement[bool], ...]:
    return AuditEvent.subject_type == User.__tablename__, AuditEvent.subject_id == user_id


def _erase_from_event(one: AuditEvent, user_id: int, words: Redactor) -> bool:
    is_own = one.subject_type == User.__tablename__ and one.subject_id == user_id
    after = {
        "actor": words.pseudonym if one.actor_id == user_id else words(one.actor),
        "subject": words.pseudonym if is_own else words(one.subject)[:320],
        "details": words(one.details),
    }
    changed = {name: value for name, value in after.items() if value != getattr(one, name)}
    personal = dict(one.personal)
    for name, value in changed.items():
        # What somebody else changed before is erased, too, but gets no mark that would hide it.
        if name in personal and any(
            audit_hashes.field_matches(each, name, getattr(one, name), personal[name])
            for each in all_keys()
        ):
            personal[name] = audit_hashes.erase_field(key(), name, value, personal[name])
        setattr(one, name, value)
    one.personal = personal
    return bool(changed)


def _in_json(word: str) -> str:
    """The word as JSON stores it."""
    return json.dumps(word)[1:-1]
