"""Who owns the installation, and handing that over. The database itself holds "exactly one Owner" (docs/decisions/0015)."""

from __future__ import annotations

from sqlalchemy import delete, update

from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.db import begin_write, db
from webapp.models import OWNER_ROLE_ID, Organisation, User, UserState
from webapp.models.groups import user_groups
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import lookup


def heir(user_id: int, by: User) -> User:
    """Who could become Owner. Raises NotFoundError, or RuleViolationError where they could not."""
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFoundError("There is no such user.")
    if user.id == by.id:
        raise RuleViolationError("You are the Owner already. Choose another person.")
    if user.state is not UserState.ACTIVE:
        raise RuleViolationError(f"{user.name} is deactivated. Choose somebody who can sign in.")
    return user


def hand_over(heir_id: int, by: User, seen_role_id: int) -> User:
    """The heir becomes Owner, with All groups; who was Owner gets the heir's role. -> the new Owner.

    seen_role_id: the heir's role as the page said it. `by` has just given their password. Raises NotFoundError,
    RuleViolationError, or ConflictError where the heir has changed since, or `by` is not the Owner any more.
    """
    begin_write()
    new = heir(heir_id, by)
    if new.role_id != seen_role_id:
        db.session.rollback()
        raise ConflictError(
            f"Nothing was changed: {new.name} is {new.role.name} now. Look again, then decide."
        )
    if not by.role.is_owner:
        raise ConflictError("Nothing was changed: the ownership was handed over already.")
    db.session.execute(update(Organisation).values(owner_id=new.id))
    before = {"owner": by.email, "role": new.role.name}
    for user_id, values in (
        (by.id, {"role_id": seen_role_id}),
        (new.id, {"role_id": OWNER_ROLE_ID, "all_groups": True}),
    ):
        db.session.execute(update(User).where(User.id == user_id).values(**values))
    db.session.execute(delete(user_groups).where(user_groups.c.user_id == new.id))
    events.record(
        by,
        AuditAction.OWNERSHIP_HANDED_OVER,
        new,
        before=before,
        after={"owner": new.email, "role": "Owner"},
    )
    lookup.bump_version()
    db.session.commit()
    return new
