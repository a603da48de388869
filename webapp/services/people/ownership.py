"""Who owns the installation, and handing that over. The database itself holds "exactly one Owner" (docs/decisions/0015)."""

from __future__ import annotations

from sqlalchemy import select

from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.db import begin_write, db
from webapp.models import OWNER_ROLE_ID, Organisation, User, UserKind, UserState
from webapp.services.audit import events
from webapp.services.directory import lookup


def get_heir(user_id: int, by: User) -> User:
    """Who could become Owner. Raises NotFoundError, or RuleViolationError where they could not."""
    user = db.session.get(User, user_id)
    if user is None or user.kind is UserKind.SERVICE:
        raise NotFoundError("There is no such user.")
    if user.id == by.id:
        raise RuleViolationError("You are the Owner already. Choose another person.")
    if user.state is not UserState.ACTIVE:
        raise RuleViolationError(f"{user.name} is deactivated. Choose somebody who can sign in.")
    return user


def hand_over(heir_id: int, by: User, seen_role_id: int | None) -> User:
    """The heir becomes Owner, with All groups; who was Owner gets the heir's role. -> the new Owner.

    seen_role_id: the heir's role as the page said it. `by` has just given their password. Raises NotFoundError,
    RuleViolationError, or ConflictError where the heir has changed since, or `by` is not the Owner any more.
    """
    begin_write()
    heir = get_heir(heir_id, by)
    role = heir.role
    if role.id != seen_role_id:
        raise ConflictError(
            f"Nothing was changed: {heir.name} is {role.name} now. Look again, then decide."
        )
    if not by.role.is_owner:
        raise ConflictError("Nothing was changed: the ownership was handed over already.")
    db.session.scalars(select(Organisation)).one().owner_id = heir.id
    by.role_id = role.id
    db.session.flush()  # there is one Owner, always
    heir.role_id = OWNER_ROLE_ID
    heir.all_groups = True
    heir.groups = []
    events.record(
        by,
        "ownership.handed_over",
        heir,
        before={"owner": by.email, "role": role.name},
        after={"owner": heir.email, "role": "Owner"},
    )
    lookup.bump_version()
    db.session.commit()
    return heir
