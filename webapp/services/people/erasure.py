"""Erasing a person: what is personal goes, and the audit log keeps a pseudonym."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update

from webapp.core.errors import ConflictError
from webapp.core.files import mentions as in_files
from webapp.core.text.redact import Words
from webapp.db import among, begin_write, db, utcnow
from webapp.mail import transports
from webapp.models import (
    AccountLink,
    AuditEvent,
    Batch,
    BatchFile,
    BatchState,
    Invitation,
    Message,
    Outcome,
    RecoveryCode,
    Role,
    Row,
    RowEdit,
    Session,
    User,
    UserState,
)
from webapp.services.accounts import profile, sessions
from webapp.services.audit import events as audit
from webapp.services.audit.events import AuditAction
from webapp.services.batches import planner, review
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.settings import in_force

_IS_OPEN = Batch.state.in_([BatchState.MAPPING, BatchState.REVIEWING])


@dataclass(frozen=True, slots=True)
class Traces:
    """What there is of a person. names: what they are called in the log, without addresses that are somebody else's by now."""

    names: set[str]
    invitations: list[int]
    messages: list[str]
    """Message-IDs."""
    rows: list[int]

    def __or__(self, other: Traces) -> Traces:
        def both(name: str) -> list[Any]:
            return sorted({*getattr(self, name), *getattr(other, name)})

        return Traces(self.names | other.names, both("invitations"), both("messages"), both("rows"))


@dataclass(frozen=True, slots=True)
class Mark:
    """How far everything had come at one moment: what is beyond it came later. versions: of all batches, by id."""

    message: int
    event: int
    versions: dict[int, int]

    def moved(self) -> list[int]:
        """The batches whose rows are others since, or that are new."""
        return [id for id, version in db.session.execute(_VERSIONS) if self.versions.get(id) != version]


_VERSIONS = select(Batch.id, Batch.version)


# Questions


def traces(user: User, since: Mark | None = None) -> Traces:
    """What erasing this person takes away, beside the account itself; six queries.

    since: only what came later, as far as looking for the rest means to read whole tables.
    """
    known = audit.known_as(user)
    keyed = {name: key for name in known if (key := sessions.account_key(name))}
    others = set(db.session.scalars(select(User.email_key).where(User.email_key.in_(keyed.values()), User.id != user.id)))
    own = {name: key for name, key in keyed.items() if key not in others}
    addresses, keys = {name.lower() for name in own}, set(own.values())
    invited = or_(Invitation.user_id == user.id, Invitation.email_key.in_(keys))
    invitations = list(db.session.scalars(select(Invitation.id).where(invited)))
    mailed = func.lower(Message.recipient).in_(addresses) & (Message.id > (since.message if since else 0))
    written = or_(Message.user_id == user.id, mailed, Message.invitation_id.in_(invitations))
    rows = or_(Row.email_key.in_(keys), func.lower(Row.email).in_(addresses), func.lower(Row.read_email).in_(addresses))
    if since:
        rows = or_(and_(among(Row.batch_id, since.moved()), rows), Row.invitation_id.in_(invitations))
    return Traces(
        known - (keyed.keys() - own.keys()),
        invitations,
        list(db.session.scalars(select(Message.message_id).where(written))),
        list(db.session.scalars(select(Row.id).where(rows))),
    )


def pseudonym(user: User) -> str:
    """What stands in the place of the person's name and e-mail."""
    return f"Erased person {user.id}"


def erasable(user_id: int, by: User) -> User:
    """Somebody who may be erased.

    Raises NotFoundError, ForbiddenError for somebody not ranked below, ConflictError while they are active.
    """
    user = profile.below(user_id, by)
    if user.state is not UserState.DEACTIVATED:
        raise ConflictError("Only somebody deactivated can be erased. Deactivate this person first.")
    return user


# Commands


def erase(user_id: int, by: User) -> str:
    """Erase a person, for good. -> the pseudonym. Raises as `erasable` does.

    Whole tables are looked through before others have to wait, and then only what came in the meantime.
    """
    while True:
        mark = _mark()
        user = erasable(user_id, by)
        early, name = traces(user), pseudonym(user)
        naming, events = _files_naming(early.names, mark.versions), audit.events_naming(user, early.names)
        begin_write(alone=True)
        user = erasable(user_id, by)
        found = traces(user, mark)
        if found.names <= early.names:
            break
    found |= early
    naming += _files_naming(found.names, mark.moved())
    events += audit.events_naming(user, found.names, since=mark.event)
    words = Words((text for text in found.names if "@" in text), (text for text in found.names if "@" not in text), name)
    _forget_under_review(found, naming, words, by)
    _forget_rows(found, words)
    db.session.execute(delete(Message).where(Message.message_id.in_(found.messages)))
    db.session.execute(delete(Invitation).where(Invitation.id.in_(found.invitations)))
    for model in (Session, RecoveryCode, AccountLink):
        db.session.execute(delete(model).where(model.user_id == user.id))
    replaced_addresses.forget({key for text in found.names if (key := sessions.account_key(text))})
    audit.forget(user, name, found.names, events)
    _anonymise(user, name)
    audit.record(by, AuditAction.USER_ERASED, user)
    lookup.bump_version()
    db.session.commit()
    transports.discard(in_force.environment().data_dir / "outbox", found.messages)
    return name


def _anonymise(user: User, name: str) -> None:
    """The row stays, so that what this person did in other people's interest still says that somebody did it."""
    user.email = user.name = name
    user.email_key, user.password_hash = f"erased-{user.id}", ""
    user.role_id = db.session.scalars(select(Role.id).order_by(Role.rank, Role.id).limit(1)).one()
    user.groups, user.all_groups = [], False
    user.seen_at = user.totp_salt = user.totp_since = user.totp_step = None
    user.state = UserState.ERASED
    db.session.flush()


def _mark() -> Mark:
    """How far everything has come, at a moment when no other command is half done."""
    begin_write(alone=True)
    message, event = (db.session.scalar(select(func.max(model.id))) or 0 for model in (Message, AuditEvent))
    mark = Mark(message, event, dict(db.session.execute(_VERSIONS).all()))
    db.session.rollback()
    return mark


def _files_naming(names: Collection[str], of: Collection[int]) -> list[int]:
    """Those of these batches under review, or whose columns are not matched yet, in whose kept file the person stands."""
    addresses = [text for text in names if "@" in text]
    files_of = select(BatchFile.batch_id).join(Batch, Batch.id == BatchFile.batch_id).where(_IS_OPEN)
    kept = db.session.scalars(files_of.where(among(Batch.id, of))).all()
    files = ((id, db.session.scalar(select(BatchFile.data).where(BatchFile.batch_id == id))) for id in kept)
    return [id for id, data in files if data and in_files.names(data, addresses)]


def _forget_under_review(found: Traces, naming: Collection[int], words: Words, by: User) -> None:
    """Rows go, and files with the person's line; an upload that is nothing but such a file is discarded."""
    holding = select(Row.batch_id).where(Row.id.in_(found.rows))
    touched = select(Batch.id).where(_IS_OPEN, or_(Batch.id.in_(naming), Batch.id.in_(holding))).order_by(Batch.id)
    for id in db.session.scalars(touched).all():
        batch = review.locked(id)
        batch.header, batch.facts = words(batch.header), words(batch.facts)
        if batch.state is BatchState.MAPPING:
            review.drop(batch, by)
            continue
        rows = db.session.scalars(select(Row).where(Row.batch_id == id, Row.id.in_(found.rows))).all()
        planner.count(batch, [planner.counted(row) for row in rows if row.removed_at is None], -1)
        gone = delete(Row).where(Row.id.in_([row.id for row in rows]))
        db.session.execute(gone.execution_options(synchronize_session=False))
        review.let_go_of_file(batch)
        batch.version += 1
        batch.moved_version = batch.version  # pages that show the rows as they were are too old to be confirmed


def _forget_rows(found: Traces, words: Words) -> None:
    """Rows of uploads that were confirmed keep their outcome, without the person."""
    name = words.pseudonym
    for row in db.session.scalars(select(Row).where(Row.id.in_(found.rows)).execution_options(populate_existing=True)):
        row.email = row.read_email = name
        row.email_key, row.read_cells = None, []
        row.issues, row.step, row.reason = map(words, (row.issues, row.step, row.reason))
        if row.outcome in (None, Outcome.WAITING):
            row.outcome, row.reason, row.done_at = Outcome.SKIPPED, "This person was erased", utcnow()
    db.session.flush()
    typed = RowEdit.row_id.in_(found.rows), RowEdit.field == "email"
    db.session.execute(update(RowEdit).where(*typed).values(before=name, after=name))
