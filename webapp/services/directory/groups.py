"""Device groups: counts, adding, renaming, merging and deleting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import ColumnElement, delete, func, insert, literal, select

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.plan.registry import ALL_GROUPS, fold
from webapp.core.text.formatting import clipped
from webapp.db import begin_write, binary_order, db
from webapp.models import Alias, AliasKind, Group, Invitation, InvitationState, Role, User
from webapp.models.groups import invitation_groups, user_groups
from webapp.schemas.directory import LONGEST, GroupSchema
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
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
"""No group has this id: its list of people holds only those with All groups."""

USER_ID, INVITATION_ID = user_groups.c.user_id, invitation_groups.c.invitation_id
IS_PENDING = Invitation.state == InvitationState.PENDING


@dataclass(frozen=True, slots=True)
class GroupCount:
    """A group, how many users are in it, and how many pending invitations lead into it."""

    id: int
    name: str
    description: str
    users: int
    invited: int


def list_groups() -> list[GroupCount]:
    """All groups by name, in three queries. Access to all groups counts in none of them."""
    users = _count_members(USER_ID, User.id, ~User.all_groups)
    invited = _count_members(INVITATION_ID, Invitation.id, ~Invitation.all_groups, IS_PENDING)
    return [
        GroupCount(
            each.id, each.name, each.description, users.get(each.id, 0), invited.get(each.id, 0)
        )
        for each in db.session.scalars(select(Group).order_by(binary_order(Group.key)))
    ]


def _count_members(
    owner_id: ColumnElement[int], person_id: Any, *conditions: ColumnElement[bool]
) -> dict[int, int]:
    """By group."""
    group_id = owner_id.table.c.group_id
    query = select(group_id, func.count()).join(person_id.class_, person_id == owner_id)
    return dict(db.session.execute(query.where(*conditions).group_by(group_id)).all())


def filter_groups(
    groups: Sequence[GroupCount], other_names: Mapping[int, Sequence[Alias]], search: str
) -> list[GroupCount]:
    """The groups whose name, description or alias contains the words; no query."""
    found = []
    for group in groups:
        words = [alias.word for alias in other_names.get(group.id, ())]
        if any(fold(search) in fold(text) for text in (group.name, group.description, *words)):
            found.append(group)
    return found


def count_all_groups() -> GroupCount:
    """“All groups” as if it were a group."""
    users = db.session.scalar(select(func.count(User.id)).where(User.all_groups)) or 0
    pending = select(func.count(Invitation.id)).where(Invitation.all_groups, IS_PENDING)
    invited = db.session.scalar(pending) or 0
    return GroupCount(EVERYTHING, ALL_GROUPS, "Every group, also later ones", users, invited)


def get_group(group_id: int) -> GroupCount:
    """The group, or EVERYTHING, counted. Raises NotFoundError."""
    if group_id == EVERYTHING:
        return count_all_groups()
    for group in list_groups():
        if group.id == group_id:
            return group
    raise NotFoundError("There is no such group. It may have been merged or deleted.")


def effect_of(ids: Sequence[int], by: User, into: int | None = None) -> dict[str, int]:
    """How many people and rows it touches to delete these groups, or to merge them into another one.

    They are counted for the audit log, too: `ranked_above` because managing groups may touch people of higher rank.
    """
    by_rank = db.session.execute(
        select(Role.rank, func.count())
        .join_from(User, Role)
        .where(User.id.in_(_members(USER_ID, ids, into)))
        .group_by(Role.rank)
    ).all()
    promised = Invitation.id.in_(_members(INVITATION_ID, ids, into))
    pending = select(func.count(Invitation.id)).where(promised, IS_PENDING)
    return {
        "users": sum(n for _, n in by_rank),
        "invitations": db.session.scalar(pending) or 0,
        "rows": aliases.count_rows_naming(AliasKind.GROUP, ids),
        "ranked_above": sum(n for rank, n in by_rank if rank > by.role.rank),
    }


def _members(owner_id: ColumnElement[int], ids: Sequence[int], into: int | None) -> Any:
    """The ids of those in one of these groups who are not in the group `into`."""
    group_id = owner_id.table.c.group_id
    inside = select(owner_id).where(group_id == into)
    return select(owner_id).where(group_id.in_(ids), owner_id.not_in(inside)).distinct()


def add_groups(names: Iterable[str], by: User, description: str = "") -> list[Group]:
    """Add groups, all or none; a repeated name counts once. description: of each of them.

    Raises RuleViolationError (field "names") for invalid names, ValidationError for a description that is too long.
    """
    wanted = clean_names(names)
    described = GroupSchema(only=("description",)).load({"description": description})["description"]
    begin_write()
    groups = create_groups(wanted, described)
    for group in groups:
        events.record(by, AuditAction.GROUP_CREATED, group)
    lookup.bump_version()
    db.session.commit()
    return groups


def change_group(group_id: int, name: str, description: str, by: User) -> Group:
    """Rename and describe; the old name becomes another name of the group.

    Raises ValidationError, RuleViolationError or NotFoundError.
    """
    values = GroupSchema().load({"name": name, "description": description})
    begin_write()
    group: Group = aliases.get_named(AliasKind.GROUP, group_id)
    before = {"name": group.name, "description": group.description}
    if values != before:
        aliases.rename(AliasKind.GROUP, group, values["name"])
        group.description = values["description"]
        events.record(by, AuditAction.GROUP_CHANGED, group, before=before, after=values)
        lookup.bump_version()
    db.session.commit()
    return group


def merge_groups(group_id: int, others: Iterable[int], by: User) -> Group:
    """Merge others into a group: their people get it, their names mean it.

    Raises RuleViolationError if there is nothing to merge, or NotFoundError.
    """
    begin_write()
    group: Group = aliases.get_named(AliasKind.GROUP, group_id)
    gone = [aliases.get_named(AliasKind.GROUP, each) for each in sorted(set(others) - {group_id})]
    if not gone:
        raise RuleViolationError("Choose at least one group to merge.")
    for other in gone:
        effect = effect_of([other.id], by, group_id)
        for owner_id in (USER_ID, INVITATION_ID):
            gaining = _members(owner_id, [other.id], group_id).add_columns(literal(group_id))
            table = owner_id.table
            db.session.execute(insert(table).from_select([owner_id.name, "group_id"], gaining))
        aliases.transfer_names(AliasKind.GROUP, other, group)
        events.record(by, AuditAction.GROUP_MERGED, other, into=group.name, **effect)
        db.session.flush()
        db.session.execute(delete(Group).where(Group.id == other.id))
    lookup.bump_version()
    db.session.commit()
    return group


def delete_group(group_id: int, by: User) -> str:
    """Delete a group with its memberships and aliases. -> its name. Raises NotFoundError."""
    begin_write()
    group: Group = aliases.get_named(AliasKind.GROUP, group_id)
    name = group.name
    details = {
        "description": group.description,
        "names": [alias.word for alias in aliases.list_aliases(AliasKind.GROUP)[group_id]],
        **effect_of([group_id], by),
    }
    events.record(by, AuditAction.GROUP_DELETED, group, **details)
    db.session.flush()
    db.session.execute(delete(Group).where(Group.id == group_id))
    lookup.bump_version()
    db.session.commit()
    return name


def clean_names(names: Iterable[str]) -> list[str]:
    """The names as they are stored.

    Raises RuleViolationError (field "names"; a line a sentence) where there are none or one does not do.
    """
    schema = GroupSchema()
    good: dict[str, str] = {}
    sentences: list[str] = []
    for name in names:
        try:
            good.setdefault(fold(name), schema.load({"name": name})["name"])
        except ValidationError as error:
            sentences += [
                f"“{clipped(name, LONGEST)}”: {sentence}"
                for sentence in error.messages_dict["name"]
            ]
    if sentences:
        raise RuleViolationError("\n".join(dict.fromkeys(sentences)), field="names")
    if not good:
        raise RuleViolationError(
            "Type the name of a group, or several with commas between them.", field="names"
        )
    return list(good.values())


def create_groups(names: Iterable[str], description: str = "") -> list[Group]:
    """Create groups with these clean names. Raises RuleViolationError if a name is taken. Does not commit."""
    keys = {fold(name): name for name in names}
    aliases.refuse_taken(AliasKind.GROUP, keys.values(), field="names")
    groups = [Group(name=name, key=key, description=description) for key, name in keys.items()]
    db.session.add_all(groups)
    db.session.flush()
    return groups
