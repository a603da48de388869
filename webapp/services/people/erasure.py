"""Erases a person: personal data goes, and the audit log keeps a pseudonym."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select, update

from webapp.core.errors import ConflictError
from webapp.core.text.redact import Redactor
from webapp.db import begin_write, bulk_execute, db, utcnow
from webapp.mail.transports import delete_files
from webapp.models import (
    AccountLink,
    ApiToken,
    Batch,
    BatchState,
    Endpoint,
    Identity,
    Invitation,
    Message,
    Outcome,
    RecoveryCode,
    Row,
    RowEdit,
    Session,
    User,
    UserState,
)
from webapp.services.accounts import profile, sessions
from webapp.services.audit import events as audit
from webapp.services.batches import confirmation
from webapp.services.directory import lookup, replaced_addresses
from webapp.services.settings import in_force


@dataclass(frozen=True, slots=True)
class Traces:
    """What there is of a person: names in the log and addresses, without those that someone else has now, and ids."""

    names: set[str]
    addresses: set[str]
    invitations: Sequence[int]
    messages: Sequence[str]
    """Message-IDs."""
    rows: Sequence[int]


def find_traces(user: User) -> Traces:
    """What erasing this person takes away in addition to the account itself; six queries."""
    keys = {name: sessions.account_key(name) for name in audit.find_names(user)}
    others = select(User.email_key).where(
        User.email_key.in_(keys.values()),
        User.id != user.id,
    )
    taken = db.session.scalars(others).all()
    names = {name for name, key in keys.items() if key not in taken}
    addresses = set()
    for name in names:
        if keys[name] != sessions.NO_ADDRESS:
            addresses |= {keys[name], name.lower()}
    is_invited = or_(Invitation.user_id == user.id, Invitation.email_key.in_(addresses))
    invitations = db.session.scalars(select(Invitation.id).where(is_invited)).all()
    is_written = or_(
        Message.user_id == user.id,
        func.lower(Message.recipient).in_(addresses),
        Message.invitation_id.in_(invitations),
    )
    is_row = or_(
        Row.email_key.in_(addresses),
        func.lower(Row.email).in_(addresses),
        func.lower(Row.read_email).in_(addresses),
    )
    return Traces(
        names=names,
        addresses=addresses,
        invitations=invitations,
        messages=db.session.scalars(select(Message.message_id).where(is_written)).all(),
        rows=db.session.scalars(select(Row.id).where(is_row)).all(),
    )


def pseudonym(user: User) -> str:
    """What replaces the person's name and e-mail."""
    return f"Erased person {user.id}"


def get_erasable(user_id: int, by: User) -> User:
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
    """Erase a person for good. -> the pseudonym. Raises what `get_erasable` raises.

    Kept files of all open uploads are deleted: the person may stand in any of them.
    """
    begin_write()
    user = get_erasable(user_id, by)
    found = find_traces(user)
    name = pseudonym(user)
    redactor = Redactor(found.names, name)
    _erase_from_open_batches(found, redactor, by)
    _erase_from_rows(found, redactor)
    db.session.execute(delete(Message).where(Message.message_id.in_(found.messages)))
    db.session.execute(delete(Invitation).where(Invitation.id.in_(found.invitations)))
    for model in (Session, ApiToken, RecoveryCode, AccountLink, Identity):
        db.session.execute(delete(model).where(model.user_id == user.id))
    replaced_addresses.forget(found.addresses)
    for endpoint in db.session.scalars(select(Endpoint)):  # what receivers said may name the person
        endpoint.answers = redactor(endpoint.answers)
    audit.erase_names(user, redactor)
    _anonymise(user, name)
    audit.record(by, "user.erased", user)
    lookup.bump_version()
    db.session.commit()
    delete_files(in_force.environment().data_dir / "outbox", found.messages)
    return name


def _anonymise(user: User, name: str) -> None:
    """Keep the row under the pseudonym, so that what this person did for others still has an author. Does not commit."""
    user.email = name
    user.name = name
    user.email_key = f"erased-{user.id}"
    user.password_hash = ""
    user.role_id = lookup.registry().roles[-1].id
    user.all_groups = False
    user.groups = []
    user.seen_at = None
    user.totp_salt = None
    user.totp_since = None
    user.totp_step = None
    user.state = UserState.ERASED


def _erase_from_open_batches(found: Traces, redactor: Redactor, by: User) -> None:
    """Delete rows and kept files; an upload that is only a file so far is discarded. Does not commit."""
    is_open = Batch.state.in_([BatchState.MAPPING, BatchState.REVIEWING])
    for batch in db.session.scalars(select(Batch).where(is_open)).all():
        batch.header = redactor(batch.header)
        batch.facts = redactor(batch.facts)
        if batch.state is BatchState.MAPPING:
            confirmation.discard_locked(batch, by)
            continue
        confirmation.delete_file(batch)
        bulk_execute(delete(Row).where(Row.batch_id == batch.id, Row.id.in_(found.rows)))
        batch.version += 1  # its counts are made again with its plans, as the directory has moved


def _erase_from_rows(found: Traces, redactor: Redactor) -> None:
    """Replace the person in rows of confirmed uploads; the outcome stays. Does not commit."""
    theirs = select(Row).where(Row.id.in_(found.rows))
    for row in db.session.scalars(theirs.execution_options(populate_existing=True)):
        row.email = redactor.pseudonym
        row.read_email = redactor.pseudonym
        row.name = row.read_name = ""
        row.email_key = None
        row.read_cells = []
        row.issues = []
        row.change_dict = redactor(row.change_dict)
        row.reason = redactor(row.reason)
        if row.outcome in (None, Outcome.WAITING):
            row.outcome = Outcome.SKIPPED
            row.reason = {"code": "erased"}
            row.done_at = utcnow()
    typed = RowEdit.row_id.in_(found.rows), RowEdit.field.in_(("email", "name"))
    erased = {"before": redactor.pseudonym, "after": redactor.pseudonym}
    db.session.execute(update(RowEdit).where(*typed).values(erased))
