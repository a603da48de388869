"""Device groups: who is in them, and new ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from marshmallow import ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from webapp.core.directory import fold
from webapp.core.errors import Refused
from webapp.db import begin_write, db
from webapp.models import Group, Invitation, InvitationState, User
from webapp.models.groups import invitation_groups, user_groups
from webapp.schemas.groups import GroupSchema
from webapp.services import audit, directory
from webapp.services.audit import AuditAction

EXAMPLES = ("Student Devices", "Teacher Laptops", "Library Chromebooks", "Science Lab iPads", "Exam Laptops", "Admin Office")


@dataclass(frozen=True, slots=True)
class Counted:
    """A group, how many users are in it, and how many pending invitations lead into it."""

    id: int
    name: str
    users: int
    invited: int


def counted() -> list[Counted]:
    """All groups by name, in one query. Access to all groups counts in none of them."""
    users = (
        select(user_groups.c.group_id, func.count().label("n"))
        .join(User, User.id == user_groups.c.user_id)
        .group_by(user_groups.c.group_id)
        .subquery()
    )
    invited = (
        select(invitation_groups.c.group_id, func.count().label("n"))
        .join(Invitation, Invitation.id == invitation_groups.c.invitation_id)
        .where(Invitation.state == InvitationState.PENDING)
        .group_by(invitation_groups.c.group_id)
        .subquery()
    )
    found = (
        select(Group.id, Group.name, func.coalesce(users.c.n, 0), func.coalesce(invited.c.n, 0))
        .outerjoin(users, users.c.group_id == Group.id)
        .outerjoin(invited, invited.c.group_id == Group.id)
        .order_by(Group.key)
    )
    return [Counted(*row) for row in db.session.execute(found)]


def add(names: Iterable[str], by: User) -> list[Group]:
    """Add groups, all or none; a name that is repeated counts once. Raises Refused (field "names") for names that do not do."""
    wanted = clean(names)
    begin_write()
    try:
        groups = create(wanted)
    except IntegrityError as error:
        db.session.rollback()
        raise Refused("Somebody else added such a group just now. Load the page again.", field="names") from error
    for group in groups:
        audit.record(by, AuditAction.GROUP_CREATED, group)
    directory.moved()
    db.session.commit()
    return groups


def clean(names: Iterable[str]) -> list[str]:
    """The names as they are stored. Raises Refused (field "names") where there are none or one does not do."""
    schema = GroupSchema()
    good: dict[str, str] = {}
    sentences: list[str] = []
    for name in names:
        try:
            good.setdefault(fold(name), schema.load({"name": name})["name"])
        except ValidationError as error:
            sentences += [f"“{name[:80]}”: {sentence}" for sentence in error.messages_dict["name"]]
    if sentences:
        raise Refused(" ".join(dict.fromkeys(sentences)), field="names")
    if not good:
        raise Refused("Type the name of a group, or several with commas between them.", field="names")
    return list(good.values())


def create(names: Iterable[str]) -> list[Group]:
    """Part of a command: new groups, from names that are clean. Raises Refused where one exists."""
    keys = {fold(name): name for name in names}
    if taken := db.session.scalars(select(Group.name).where(Group.key.in_(list(keys))).order_by(Group.key)).all():
        db.session.rollback()
        quoted = ", ".join(f"“{name}”" for name in taken)
        raise Refused(f"{quoted} {'exists' if len(taken) == 1 else 'exist'} already. Nothing was added.", field="names")
    groups = [Group(name=name, key=key) for key, name in keys.items()]
    db.session.add_all(groups)
    db.session.flush()
    return groups
