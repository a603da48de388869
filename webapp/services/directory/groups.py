"""Device groups: counts, adding, renaming, merging and deleting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import selectinload

from webapp.core.errors import RuleViolationError
from webapp.core.plan.registry import LONGEST_NAME, find_name_problem, fold
from webapp.core.text.formatting import clipped
from webapp.db import begin_write, binary_order, count_by, db
from webapp.models import Group, Invitation, InvitationState, Role, User
from webapp.models.directory import invitation_groups, user_groups
from webapp.services.audit import events
from webapp.services.directory import aliases, lookup

EXAMPLES = (
    "Student Devices",
    "Teacher Laptops",
    "Library Chromebooks",
    "Science Lab iPads",
    "Exam Laptops",
    "Admin Office",
)

EVERYTHING = 0
"""Those with All groups are counted by this id, which no group has."""
MOST_AT_ONCE = 500
"""Groups that one form adds: everybody waits for that transaction."""

IS_PENDING = Invitation.state == InvitationState.PENDING


def list_groups() -> Sequence[Group]:
    """All groups by name, with their other names."""
    query = select(Group).options(selectinload(Group.aliases))
    return db.session.scalars(query.order_by(binary_order(Group.key))).all()


def count_members() -> dict[str, Counter[int]]:
    """How many `users` are in each group, and how many pending invitations lead into it (`invited`), by its id.

    Who has access to all groups counts under EVERYTHING alone.
    """
    is_member = user_groups.c.user_id == User.id
    users = count_by(user_groups.c.group_id, is_member, ~User.all_groups)
    users[EVERYTHING] = count_by(User.all_groups)[True]
    is_invited = invitation_groups.c.invitation_id == Invitation.id
    pending = IS_PENDING, ~Invitation.all_groups
    invited = count_by(invitation_groups.c.group_id, is_invited, *pending)
    invited[EVERYTHING] = count_by(Invitation.all_groups, IS_PENDING)[True]
    return {"users": users, "invited": invited}


def effect_of(ids: Collection[int], by: User, into: int = 0) -> dict[str, int]:
    """How many people it touches to delete these groups, or to merge them into another one.

    They are counted for the audit log, too: `ranked_above` because managing groups may touch people of higher rank.
    """
    leaving, staying = Group.id.in_(ids), Group.id == into
    users = select(User).where(User.groups.any(leaving), ~User.groups.any(staying))
    ranks = db.session.scalars(users.join(User.role).with_only_columns(Role.rank)).all()
    invitations = select(func.count(Invitation.id)).where(
        Invitation.groups.any(leaving), ~Invitation.groups.any(staying), IS_PENDING
    )
    return {
        "users": len(ranks),
        "invitations": db.session.scalar(invitations) or 0,
        "ranked_above": sum(rank > by.role.rank for rank in ranks),
    }


def add_groups(names: Iterable[str], by: User, description: str = "") -> list[Group]:
    """Add groups, all or none. Raises what `create_groups` raises."""
    begin_write()
    groups = create_groups(names, by, description)
    lookup.commit()
    return groups


def change_group(group_id: int, name: str, description: str, by: User) -> Group:
    """Rename and describe; the old name becomes another name of the group. Raises RuleViolationError or NotFoundError."""
    begin_write()
    group = aliases.get_named(Group, group_id)
    before = _audit_details(group)
    aliases.rename(group, name)
    group.description = description
    after = _audit_details(group)
    if after != before:
        events.record(by, "group.changed", group, before=before, after=after)
        lookup.commit()
    return group


def _audit_details(group: Group) -> dict[str, str]:
    return {"name": group.name, "description": group.description}


def merge_groups(group_id: int, others: Iterable[int], by: User) -> Group:
    """Merge others into a group: their people get it, their names mean it.

    Raises RuleViolationError if there is nothing to merge, or NotFoundError.
    """
    begin_write()
    group = aliases.get_named(Group, group_id)
    gone = [aliases.get_named(Group, other_id) for other_id in sorted(set(others) - {group_id})]
    if not gone:
        raise RuleViolationError("Choose at least one group to merge.")
    for other in gone:
        effect = effect_of([other.id], by, group_id)
        for members in (user_groups, invitation_groups):
            person_id = members.primary_key.columns[0]
            inside = select(person_id).where(members.c.group_id == group_id)
            moved = update(members).where(members.c.group_id == other.id, person_id.not_in(inside))
            db.session.execute(moved.values(group_id=group_id))
        aliases.transfer_names(other, group)
        events.record(by, "group.merged", other, into=group.name, **effect)
        db.session.delete(other)
        db.session.flush()
    lookup.commit()
    return group


def delete_group(group_id: int, by: User) -> str:
    """Delete a group with its memberships and aliases. -> its name. Raises NotFoundError."""
    begin_write()
    group = aliases.get_named(Group, group_id)
    name = group.name
    details = {
        "description": group.description,
        "names": [alias.word for alias in group.aliases],
        **effect_of([group_id], by),
    }
    events.record(by, "group.deleted", group, **details)
    db.session.delete(group)
    lookup.commit()
    return name


def create_groups(names: Iterable[str], by: User | None, description: str = "") -> list[Group]:
    """Create groups, all or none; a repeated name counts once. description: of each of them. Does not commit.

    Raises RuleViolationError (field "names") where there are too many, or a name is taken or does not do.
    """
    groups: dict[str, Group] = {}
    for name in names:
        if problem := find_name_problem(name):
            sentence = f"“{clipped(name, LONGEST_NAME)}”: {problem}"
            raise RuleViolationError(sentence, field="names")
        aliases.refuse_taken(Group, name, field="names")
        key = fold(name)
        groups.setdefault(key, Group(name=" ".join(name.split()), key=key, description=description))
    if len(groups) > MOST_AT_ONCE:
        raise RuleViolationError(
            f"At most {MOST_AT_ONCE} groups are added at once. Add them in several steps.",
            field="names",
        )
    made = list(groups.values())
    db.session.add_all(made)
    db.session.flush()
    for group in made:
        events.record(by, "group.created", group)
    return made
