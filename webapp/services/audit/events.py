"""The audit log: each event is added by the command that it is about, and shares its commit.

Everything that writes events is here, because each is stamped when it is written (`core.security.audit_hashes`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import has_request_context, request
from sqlalchemy import ColumnElement, Text, and_, cast, insert, or_, select, update

from webapp.core.security import audit_hashes
from webapp.core.security.peers import place_of
from webapp.core.text.audit_phrases import compare
from webapp.core.text.redact import Redactor
from webapp.db import begin_write, db, utcnow
from webapp.models import (
    AuditChain,
    AuditEvent,
    Batch,
    Endpoint,
    Group,
    Invitation,
    Message,
    Organisation,
    Role,
    User,
)
from webapp.services.settings import in_force

Subject = User | Group | Invitation | Batch | Organisation | Role | Message | Endpoint
Row = dict[str, Any]
"""The values of an event, by column."""
About = tuple[str, int | None, str]
"""What an event is about: the table, the id there, and the name."""

HOUR = timedelta(hours=1)
"""Within it a refusal that repeats is counted; only afterwards it is sealed."""
OF_ONE_PLACE, OF_STRANGERS, OF_ONE_PERSON = 20, 200, 100
"""Refusals within the hour that get a line of their own: from one place, of all who are not signed in, of one person."""
OTHERS = "(others)"


# Written, as part of a command


def record(
    actor: User | None,
    action: str,
    subject: Subject | str = "",
    peer: str | None = None,
    /,
    **details: Any,
) -> AuditEvent:
    """Add one event to the running transaction. Does not commit.

    details: JSON values, such as before and after; never a token, a link or a password. subject: in words, if there is no
    such row. peer: where the request came from, if it has ended.
    """
    if isinstance(subject, str):
        about: About = ("", None, subject)
    else:
        about = (subject.__tablename__, subject.id, _label(subject))
    row = _make_row(actor, action, about, details, peer)
    made = AuditEvent(**row)
    db.session.add(made)
    return made


def record_many(
    actor: User | None,
    action: str,
    invitations: Iterable[tuple[int, str]],
    own: Mapping[int, dict[str, Any]] | None = None,
    **details: Any,
) -> None:
    """Record the same for many invitations, each an id and an e-mail, in one statement. Does not commit.

    own: details of single ones, by id. Costs half of as many calls of `record`: 80 ms for 1,000 events.
    """
    own = own or {}
    rows = []
    for invitation_id, email in invitations:
        about = (Invitation.__tablename__, invitation_id, email)
        all_details = details | own.get(invitation_id, {})
        rows.append(_make_row(actor, action, about, all_details))
    if rows:
        db.session.execute(insert(AuditEvent), rows)


def _label(subject: Subject) -> str:
    if isinstance(subject, User | Invitation):
        return subject.email
    return subject.recipient if isinstance(subject, Message) else subject.name


def _make_row(
    actor: User | None,
    action: str,
    about: About,
    details: dict[str, Any],
    peer: str | None = None,
) -> Row:
    """The columns of a new event, stamped."""
    if peer is None:
        peer = (request.remote_addr or "") if has_request_context() else ""
    kind, subject_id, label = about
    row = {
        "at": utcnow(),
        "actor_id": actor.id if actor else None,
        "actor": actor.email if actor else "",
        "action": action,
        "subject_type": kind,
        "subject_id": subject_id,
        "subject": label[:320],
        "address": peer[:64],
        "details": json.loads(json.dumps(details)),  # as the database gives it back
        "count": 1,
    }
    return row | audit_hashes.make_stamp(keys(), row)


# Stamped


def keys() -> list[bytes]:
    """Our key, which stamps, seals and signs, then those of before the server's key was changed. Needs no query."""
    settings = in_force.environment()
    secrets = (settings.secret_key, *settings.secret_key_fallbacks)
    return [audit_hashes.derive_key(secret) for secret in secrets]


def values_of(one: AuditEvent) -> Row:
    """What an event says, by column."""
    values = {}
    for name in audit_hashes.FIELDS:
        values[name] = getattr(one, name)
    return values


def stamp(one: AuditEvent) -> None:
    """Stamp an event that is not sealed yet for what it says now. Does not commit."""
    made = audit_hashes.make_stamp(keys(), values_of(one))
    one.personal = made["personal"]
    one.stamp = made["stamp"]


# Refusals


def count_refusal(
    action: str,
    user_id: int | None,
    label: str,
    peer: str | None = None,
) -> None:
    """Record a refusal; the same one again within the hour is counted, not added. Commits.

    Nobody can fill the log with them: beyond the limits above, others are counted together as OTHERS. peer: as in `record`.
    """
    begin_write()
    actor = db.session.get(User, user_id) if user_id else None
    about = ("", None, label)
    row = _make_row(actor, action, about, {}, peer)
    if actor is None:
        row["address"] = place_of(row["address"])
    recent = select(AuditEvent).where(
        AuditEvent.actor_id == user_id,
        AuditEvent.seq.is_(None),
        AuditEvent.at > utcnow() - HOUR,
        AuditEvent.action.endswith(".refused"),
    )
    known = db.session.scalars(recent).all()  # the limits keep them few
    if not _find_same(known, row):
        places = [one.address for one in known]
        if len(known) >= (OF_ONE_PERSON if actor else OF_STRANGERS):
            row["subject"] = OTHERS
            row["address"] = ""
        elif actor is None and places.count(row["address"]) >= OF_ONE_PLACE:
            row["subject"] = OTHERS
    one = _find_same(known, row)
    if one:
        one.count += 1
        one.details = one.details | {"last_at": utcnow().isoformat()}
    else:
        one = AuditEvent(**row)
        db.session.add(one)
    stamp(one)
    db.session.commit()


def _find_same(known: Sequence[AuditEvent], row: Row) -> AuditEvent | None:
    wanted = row["action"], row["subject"], row["address"]
    for one in known:
        if (one.action, one.subject, one.address) == wanted:
            return one
    return None


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
    found = {user.email, user.name}
    acted = select(AuditEvent.actor).where(AuditEvent.actor_id == user.id)
    found.update(db.session.scalars(acted.distinct()))
    is_invited = or_(
        Invitation.user_id == user.id,
        Invitation.email_key == user.email_key,
    )
    invited = select(Invitation.email, Invitation.name).where(is_invited)
    for names in db.session.execute(invited):
        found.update(names)
    about = select(AuditEvent.subject, AuditEvent.details).where(_is_about(user))
    for subject, details in db.session.execute(about):
        found.add(subject)
        for field, before, after in compare(details):
            if field in ("email", "name"):
                found.update([before, after])
    return {name for name in found if name}


def erase_names(user: User, redactor: Redactor) -> None:
    """Replace a person's e-mails and names in the log by the pseudonym; the whole log is read. Does not commit.

    Call it while the user still has them, and record the erasure itself once they are gone. The chain stays whole: stamps
    hold digests of these words, and what takes their place is marked as ours.
    """
    db.session.flush()
    is_touched = [AuditEvent.actor_id == user.id, _is_about(user)]
    for word in redactor.all:
        as_json = json.dumps(word)[1:-1]
        is_touched += [
            AuditEvent.actor.icontains(word, autoescape=True),
            AuditEvent.subject.icontains(word, autoescape=True),
            cast(AuditEvent.details, Text).icontains(as_json, autoescape=True),
        ]
    touched = select(AuditEvent).where(or_(*is_touched))
    with unlock():
        for one in db.session.scalars(touched):
            _erase_from_event(one, user, redactor)


def _is_about(user: User) -> ColumnElement[bool]:
    return and_(
        AuditEvent.subject_type == User.__tablename__,
        AuditEvent.subject_id == user.id,
    )


def _erase_from_event(one: AuditEvent, user: User, redactor: Redactor) -> None:
    after = {
        "actor": redactor(one.actor),
        "subject": redactor(one.subject)[:320],
        "details": redactor(one.details),
    }
    if one.actor_id == user.id:
        after["actor"] = redactor.pseudonym
    if (one.subject_type, one.subject_id) == (User.__tablename__, user.id):
        after["subject"] = redactor.pseudonym
    personal = dict(one.personal)
    for name, value in after.items():
        before = getattr(one, name)
        if value == before:
            continue
        setattr(one, name, value)
        # What somebody else changed before is erased, too, but gets no mark that would hide it.
        digest = personal.get(name)
        if digest and audit_hashes.field_matches(keys(), name, before, digest):
            personal[name] = audit_hashes.erase_field(keys(), name, value, digest)
    one.personal = personal
