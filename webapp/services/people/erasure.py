"""Erases a person: personal data goes, and the audit log keeps a pseudonym."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select, update

from webapp.core.errors import ConflictError
from webapp.core.text.redact import Redactor
from webapp.db import begin_write, db, utcnow
from webapp.mail.transports import delete_files
from webapp.models import (
    AccountLink,
    Batch,
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
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import discard, planner, review
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.settings import in_force


@dataclass(frozen=True, slots=True)
class Traces:
    """What there is of a person. names: their e-mails and names in the log, without addresses that someone else has now."""

    names: set[str]
    invitations: Sequence[int]
    messages: Sequence[str]
    """Message-IDs."""
    rows: Sequence[int]


def traces(user: User) -> Traces:
    """What erasing this person takes away in addition to the account itself; six queries."""
    keys_by_name = {name: sessions.account_key(name) for name in audit.find_names(user)}
    is_taken = User.email_key.in_(filter(None, keys_by_name.values())), User.id != user.id
    taken = set(db.session.scalars(select(User.email_key).where(*is_taken)))
    own = {name: key for name, key in keys_by_name.items() if key not in taken}
    keys = set(filter(None, own.values()))
    addresses = {name.lower() for name, key in own.items() if key}
    is_invited = or_(Invitation.user_id == user.id, Invitation.email_key.in_(keys))
    invitations = db.session.scalars(select(Invitation.id).where(is_invited)).all()
    is_written = or_(
        Message.user_id == user.id,
        func.lower(Message.recipient).in_(addresses),
        Message.invitation_id.in_(invitations),
    )
    is_row = or_(
        Row.email_key.in_(keys),
        func.lower(Row.email).in_(addresses),
        func.lower(Row.read_email).in_(addresses),
    )
    return Traces(
        names=set(own),
        invitations=invitations,
        messages=db.session.scalars(select(Message.message_id).where(is_written)).all(),
        rows=db.session.scalars(select(Row.id).where(is_row)).all(),
    )


def pseudonym(user: User) -> str:
    """What replaces the person's name and e-mail."""
    return f"Erased person {user.id}"


def erasable(user_id: int, by: User) -> User:
    """A person who may be erased.

    Raises NotFoundError, ForbiddenError for somebody not ranked below, ConflictError while they are active.
    """
    user = profile.get_user_below(user_id, by)
    if user.state is not UserState.DEACTIVATED:
        raise ConflictError(
            "Only somebody deactivated can be erased. Deactivate this person first."
        )
    return user


def erase(user_id: int, by: User) -> str:
    """Erase a person for good. -> the pseudonym. Raises what `erasable` raises.

    Kept files of all open uploads are deleted: the person may stand in any of them.
    """
    begin_write()
    user = erasable(user_id, by)
    found, name = traces(user), pseudonym(user)
    redactor = Redactor(found.names, name)
    _erase_from_open_batches(found, redactor, by)
    _erase_from_rows(found, redactor)
    db.session.execute(delete(Message).where(Message.message_id.in_(found.messages)))
    db.session.execute(delete(Invitation).where(Invitation.id.in_(found.invitations)))
    for model in (Session, RecoveryCode, AccountLink):
        db.session.execute(delete(model).where(model.user_id == user.id))
    replaced_addresses.forget({key for text in found.names if (key := sessions.account_key(text))})
    audit.erase_names(user, redactor)
    _anonymise(user, name)
    audit.record(by, AuditAction.USER_ERASED, user)
    lookup.bump_version()
    db.session.commit()
    delete_files(in_force.environment().data_dir / "outbox", found.messages)
    return name


def _anonymise(user: User, name: str) -> None:
    """Keep the row under the pseudonym, so that what this person did for others still has an author. Does not commit."""
    user.email = user.name = name
    user.email_key, user.password_hash = f"erased-{user.id}", ""
    user.role_id = db.session.scalars(select(Role.id).order_by(Role.rank, Role.id).limit(1)).one()
    user.groups, user.all_groups = [], False
    user.seen_at = user.totp_salt = user.totp_since = user.totp_step = None
    user.state = UserState.ERASED
    db.session.flush()


def _erase_from_open_batches(found: Traces, redactor: Redactor, by: User) -> None:
    """Delete rows and kept files; an upload that is only a file so far is discarded. Does not commit."""
    is_open = Batch.state.in_([BatchState.MAPPING, BatchState.REVIEWING])
    for batch_id in db.session.scalars(select(Batch.id).where(is_open).order_by(Batch.id)).all():
        batch = review.lock_batch(batch_id)
        batch.header, batch.facts = redactor(batch.header), redactor(batch.facts)
        if batch.state is BatchState.MAPPING:
            discard.discard_locked(batch, by)
            continue
        discard.delete_file(batch)
        rows = db.session.scalars(
            select(Row).where(Row.batch_id == batch_id, Row.id.in_(found.rows))
        ).all()
        if not rows:
            continue
        planner.update_counts(
            batch, [planner.count_keys(row) for row in rows if row.removed_at is None], -1
        )
        are_theirs = Row.id.in_([row.id for row in rows])
        db.session.execute(
            delete(Row).where(are_theirs).execution_options(synchronize_session=False)
        )
        batch.version += 1


def _erase_from_rows(found: Traces, redactor: Redactor) -> None:
    """Replace the person in rows of confirmed uploads; the outcome stays. Does not commit."""
    name = redactor.pseudonym
    for row in db.session.scalars(
        select(Row).where(Row.id.in_(found.rows)).execution_options(populate_existing=True)
    ):
        row.email = row.read_email = name
        row.email_key, row.read_cells = None, []
        row.issues, row.change_dict, row.reason = map(
            redactor, (row.issues, row.change_dict, row.reason)
        )
        if row.outcome in (None, Outcome.WAITING):
            row.outcome, row.reason, row.done_at = Outcome.SKIPPED, {"code": "erased"}, utcnow()
    db.session.flush()
    typed = RowEdit.row_id.in_(found.rows), RowEdit.field == "email"
    db.session.execute(update(RowEdit).where(*typed).values(before=name, after=name))
