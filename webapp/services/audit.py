"""The audit log: events are added by the command that they tell of and share its commit.

Whatever writes events stands here, since each is stamped as it is written (`core.sealing`).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from enum import StrEnum
from typing import Any

from flask import has_request_context, request
from sqlalchemy import Text, cast, insert, or_, select, update

from webapp.core import sealing
from webapp.db import begin_write, db, utcnow
from webapp.models import AuditChain, AuditEvent, Batch, Group, Invitation, Message, Organisation, Role, User
from webapp.services import directory

Subject = User | Group | Invitation | Batch | Organisation | Role | Message

HOUR = timedelta(hours=1)
"""Within it a refusal that repeats is counted; only afterwards it is sealed."""


class AuditAction(StrEnum):
    """What is told of; the part before the dot is the noun."""

    SETUP_DONE = "setup.done"
    SIGNED_IN = "session.started"
    SIGN_IN_FAILED = "session.refused"
    SIGNED_OUT = "session.ended"
    GROUP_CREATED = "group.created"
    ALIAS_REMEMBERED = "alias.remembered"
    COLUMNS_REMEMBERED = "columns.remembered"
    COLUMNS_FORGOTTEN = "columns.forgotten"
    BATCH_UPLOADED = "batch.uploaded"
    BATCH_CHANGED = "batch.changed"
    BATCH_ROWS_DELETED = "batch.rows_deleted"
    BATCH_MATCHED = "batch.matched"
    BATCH_FILE_REPLACED = "batch.file_replaced"
    BATCH_CONFIRMED = "batch.confirmed"
    BATCH_PAUSED = "batch.paused"
    BATCH_RESUMED = "batch.resumed"
    BATCH_CANCELLED = "batch.cancelled"
    BATCH_DISCARDED = "batch.discarded"
    BATCH_FINISHED = "batch.finished"
    INVITATION_CREATED = "invitation.created"
    INVITATION_CHANGED = "invitation.changed"
    INVITATION_SENT_AGAIN = "invitation.sent_again"
    INVITATION_ACCEPTED = "invitation.accepted"
    INVITATION_CLOSED = "invitation.closed"
    INVITATION_LINK_COPIED = "invitation.link_copied"
    USER_CHANGED = "user.changed"
    MESSAGE_FAILED = "message.failed"
    MESSAGES_RETRIED = "messages.retried"
    TEST_QUEUED = "message.test_queued"
    MESSAGES_DELETED = "messages.deleted"
    AUDIT_EXPORTED = "audit.exported"
    AUDIT_PRUNED = "audit.pruned"


class Refusal(StrEnum):
    """What the audit log counts besides failed sign-ins."""

    ACCESS = "access.refused"
    PASSWORD = "password.refused"  # noqa: S105 -- a kind of event
    LIMIT = "limit.refused"
    RANK = "rank.refused"


# Written, as part of a command


def record(actor: User | None, action: AuditAction, subject: Subject | None = None, **details: Any) -> AuditEvent:
    """Add one event to the running transaction; the caller commits.

    details: JSON values, such as before and after; never a token, a link or a password. label: the subject in words where
    there is no such row.
    """
    words = _label(subject) if subject else str(details.pop("label", ""))
    kind, id = (subject.__tablename__, subject.id) if subject else ("", None)
    event = AuditEvent(**_stamped(_values(actor, action, kind, id, words, _peer(), details)))
    db.session.add(event)
    return event


def record_many(
    actor: User | None, action: AuditAction, kind: type[Subject], subjects: Iterable[tuple[int, str]], **details: Any
) -> None:
    """The same for many subjects, each an id and what it is called, in one statement."""
    peer = _peer()
    rows = [_stamped(_values(actor, action, kind.__tablename__, id, words, peer, details)) for id, words in subjects]
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
    actor: User | None, action: StrEnum, kind: str, id: int | None, words: str, address: str, details: dict[str, Any]
) -> dict[str, Any]:
    return {
        "at": utcnow(),
        "actor_id": actor.id if actor else None,
        "actor": actor.email if actor else "",
        "action": action.value,
        "subject_type": kind,
        "subject_id": id,
        "subject": words[:320],
        "address": address[:64],
        "details": json.loads(json.dumps(details)),  # as the database gives it back
        "count": 1,
    }


# Stamped


def key() -> bytes:
    """The key that stamps, seals and signs."""
    return sealing.key_of(directory.settings().secret_key)


def all_keys() -> list[bytes]:
    """The keys that count when the log is checked: ours, then those of before the server's key was changed."""
    settings = directory.settings()
    return [sealing.key_of(secret) for secret in (settings.secret_key, *settings.secret_key_fallbacks)]


def facts(values: dict[str, Any]) -> dict[str, Any]:
    """What of an event is in its stamp as it stands."""
    named = ("actor_id", "action", "subject_type", "subject_id", "address", "count")
    return {"at": values["at"].astimezone(UTC).isoformat(), **{name: values[name] for name in named}}


def _stamped(values: dict[str, Any]) -> dict[str, Any]:
    salts = {name: secrets.token_hex(8) for name in sealing.PERSONAL}
    personal = sealing.digests(key(), values, salts)
    return {**values, "personal": personal, "stamp": sealing.stamp(key(), facts(values), personal)}


def stamp_anew(event: AuditEvent) -> None:
    """Part of a command, on an event that is not sealed yet: its stamp stands for what it says now."""
    for name, value in _stamped(vars_of(event)).items():
        setattr(event, name, value)


def vars_of(event: AuditEvent) -> dict[str, Any]:
    """What an event tells, by column."""
    told = ("at", "actor_id", "actor", "action", "subject_type", "subject_id", "subject", "address", "details", "count")
    return {name: getattr(event, name) for name in told}


# Commands


def count_refusal(action: StrEnum, actor: User | None, label: str, address: str, **details: Any) -> None:
    """Write a refusal to the audit log; the same one again within the hour is counted, not appended."""
    actor_id = actor.id if actor else None
    values = _values(actor, action, "", None, label, address, details)
    begin_write()
    same = select(AuditEvent).where(
        AuditEvent.at > values["at"] - HOUR,
        AuditEvent.action == action.value,
        AuditEvent.actor_id.is_(None) if actor_id is None else AuditEvent.actor_id == actor_id,
        AuditEvent.subject == values["subject"],
        AuditEvent.address == values["address"],
        AuditEvent.seq.is_(None),
    )
    if event := db.session.scalar(same.order_by(AuditEvent.id.desc()).limit(1).with_for_update()):
        event.count += 1
        event.details = {**event.details, "last_at": values["at"].isoformat()}
        stamp_anew(event)
    else:
        db.session.add(AuditEvent(**_stamped(values)))
    db.session.commit()


# Erasing a person


@contextmanager
def unlocked() -> Iterator[None]:
    """Part of a command: what is done within may change and delete sealed events. Only for erasing and pruning."""
    db.session.flush()
    db.session.execute(update(AuditChain).values(unlocked=True))
    yield
    db.session.flush()
    db.session.execute(update(AuditChain).values(unlocked=False))


def forget(user: User, pseudonym: str) -> int:
    """Part of a command that erases somebody: the pseudonym stands in the log for their e-mails and names. -> events changed.

    Call it while the user still has them, and record the erasure itself after they are gone. The chain stays whole: a
    stamp holds digests of these words, and what takes their place is marked. Nobody can tell any more what it was.
    """
    db.session.flush()
    own = AuditEvent.subject_type == "users", AuditEvent.subject_id == user.id
    addresses, names = {user.email}, {user.name}
    addresses |= set(db.session.scalars(select(AuditEvent.actor).where(AuditEvent.actor_id == user.id).distinct()))
    addresses |= set(db.session.scalars(select(AuditEvent.subject).where(*own).distinct()))
    invited = or_(Invitation.user_id == user.id, Invitation.email_key == user.email_key)
    addresses |= set(db.session.scalars(select(Invitation.email).where(invited)))
    for details in db.session.scalars(select(AuditEvent.details).where(*own)):
        sides = [side for side in (details.get("before"), details.get("after"), details) if isinstance(side, dict)]
        names |= {side["name"] for side in sides if isinstance(side.get("name"), str)}
        addresses |= {side["email"] for side in sides if isinstance(side.get("email"), str)}
    words = _Erased({word for word in addresses if "@" in word}, {word for word in names if word}, pseudonym)
    texts = (AuditEvent.actor, AuditEvent.subject, cast(AuditEvent.details, Text))
    named = [text.icontains(part, autoescape=True) for text in texts for word in words.all for part in {word, _in_json(word)}]
    touched = select(AuditEvent).where(or_(AuditEvent.actor_id == user.id, *named, own[0] & own[1])).with_for_update()
    n = 0
    with unlocked():
        for event in db.session.scalars(touched):
            n += _forget_in(event, user.id, words)
    return n


class _Erased:
    """The words of somebody who is erased. Called with a text, or with a JSON value, it answers with the pseudonym in place."""

    def __init__(self, addresses: set[str], names: set[str], pseudonym: str) -> None:
        self.all = sorted(addresses | names, key=len, reverse=True)
        self.names, self.pseudonym = {name.casefold() for name in names}, pseudonym
        # A name of one word may be a word like any other: it is only taken for a name where nothing stands beside it.
        parts = [rf"(?<![\w.+-]){re.escape(word)}(?![\w-]|\.\w)" for word in self.all if "@" in word]
        parts += [rf"(?<!\w){re.escape(word)}(?!\w)" for word in self.all if "@" not in word and " " in word]
        self._pattern = re.compile("|".join(parts) or "(?!)", re.IGNORECASE)

    def __call__(self, value: Any, within: str = "") -> Any:
        if isinstance(value, dict):
            return {self(name): self(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self(each, within) for each in value]
        if not isinstance(value, str):
            return value
        if within not in ("role", "groups") and value.casefold() in self.names:
            return self.pseudonym
        return self._pattern.sub(lambda _: self.pseudonym, value)


def _forget_in(event: AuditEvent, user_id: int, words: _Erased) -> bool:
    is_own = event.subject_type == "users" and event.subject_id == user_id
    after = {
        "actor": words.pseudonym if event.actor_id == user_id else words(event.actor),
        "subject": words.pseudonym if is_own else words(event.subject)[:320],
        "details": words(event.details),
    }
    changed = {name: value for name, value in after.items() if value != getattr(event, name)}
    personal = dict(event.personal)
    for name, value in changed.items():
        # What somebody else changed before is erased, too, but gets no mark that would hide it.
        if name in personal and any(sealing.is_kept(each, name, getattr(event, name), personal[name]) for each in all_keys()):
            personal[name] = sealing.erased(key(), name, value, personal[name])
        setattr(event, name, value)
    event.personal = personal
    return bool(changed)


def _in_json(word: str) -> str:
    """The word as it stands in stored JSON."""
    return json.dumps(word)[1:-1]
