"""Device groups: counts, adding, renaming, merging and deleting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from marshmallow import ValidationError
from sqlalchemy import ColumnElement, Table, and_, delete, func, insert, literal, select, true
from sqlalchemy.exc import IntegrityError

from webapp.core.errors import ConflictError, NotFoundError, RuleViolationError
from webapp.core.lists.people_filter import Filter
from webapp.core.plan.registry import ALL_GROUPS, fold
from webapp.core.text.formatting import clipped
from webapp.db import begin_write, binary_order, db, raise_if_taken
from webapp.models import Alias, AliasKind, Group, Invitation, InvitationState, Role, User
from webapp.models.groups import invitation_groups, user_groups
from webapp.schemas.groups import GroupSchema
from webapp.schemas.names import LONGEST
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.directory import aliases, lookup, people_list
from webapp.services.directory.aliases import TAKEN
from webapp.services.directory.people_list import Listing

EXAMPLES = (
    "Student Devices",
    "Teacher Laptops",
    "Library Chromebooks",
    "Science Lab iPads",
    "Exam Laptops",
    "Admin Office",
)

MOST_AT_ONCE = 500
"""Groups that one form adds: everyone waits for that transaction."""
EVERYTHING = 0
"""No group has this id: its list of people holds only those with All groups."""


@dataclass(frozen=True, slots=True)
class GroupCount:
    """A group, how many users are in it, and how many pending invitations lead into it."""

    id: int
    name: str
    description: str
    users: int
    invited: int


@dataclass(frozen=True, slots=True)
class Effect:
    """Whom merging or deleting touches: users and pending invitations that gain or lose a group, and rows under review naming it.

    above: how many of the users rank above the person who asks.
    """

    users: int
    invitations: int
    rows: int
    above: int = 0

    @property
    def seen(self) -> str:
        """What a page carries, so that only what it said is done."""
        return f"{self.users}-{self.invitations}-{self.rows}"


def list_groups(group_id: int | None = None) -> list[GroupCount]:
    """All groups by name, or this one, in one query. Access to all groups counts in none of them."""
    users = (
        select(user_groups.c.group_id, func.count().label("n"))
        .join(User, User.id == user_groups.c.user_id)
        .where(User.all_groups.is_not(true()))
        .group_by(user_groups.c.group_id)
        .subquery()
    )
    invited = (
        select(invitation_groups.c.group_id, func.count().label("n"))
        .join(Invitation, Invitation.id == invitation_groups.c.invitation_id)
        .where(Invitation.state == InvitationState.PENDING, Invitation.all_groups.is_not(true()))
        .group_by(invitation_groups.c.group_id)
        .subquery()
    )
    found = (
        select(
            Group.id,
            Group.name,
            Group.description,
            func.coalesce(users.c.n, 0),
            func.coalesce(invited.c.n, 0),
        )
        .outerjoin(users, users.c.group_id == Group.id)
        .outerjoin(invited, invited.c.group_id == Group.id)
        .order_by(binary_order(Group.key))
    )
    if group_id is not None:
        found = found.where(Group.id == group_id)
    return [GroupCount(*row) for row in db.session.execute(found)]


def filter_groups(
    groups: Sequence[GroupCount], other_names: Mapping[int, Sequence[Alias]], search: str
) -> list[GroupCount]:
    """The groups whose name, description or alias contains the words; no query."""
    wanted = fold(search)

    def texts(group: GroupCount) -> Iterable[str]:
        return (
            group.name,
            group.description,
            *(alias.word for alias in other_names.get(group.id, ())),
        )

    return [group for group in groups if any(wanted in fold(text) for text in texts(group))]


def count_all_groups() -> GroupCount:
    """“All groups” as if it were a group, counted in one query."""
    users = select(func.count(User.id)).where(User.all_groups.is_(true())).scalar_subquery()
    pending = Invitation.all_groups.is_(true()), Invitation.state == InvitationState.PENDING
    invited = select(func.count(Invitation.id)).where(*pending).scalar_subquery()
    n, m = db.session.execute(select(users, invited)).one()
    return GroupCount(EVERYTHING, ALL_GROUPS, "Every group, also later ones", n, m)


def get_group(group_id: int) -> GroupCount:
    """The group, counted. Raises NotFoundError."""
    for group in list_groups(group_id):
        return group
    raise NotFoundError("There is no such group. It may have been merged or deleted.")


def list_members(group_id: int, search: str = "", page: int = 1) -> Listing:
    """The people of a group, including those with All groups; for EVERYTHING only those."""
    return people_list.list_people(Filter(search=search, group_id=group_id), page)


def effect_of_merging(group_id: int, others: Sequence[int], by: User) -> Effect:
    """Who would gain the group if the others were merged into it."""
    gain, promised = (
        and_(
            table.c.group_id.in_(others),
            owner.not_in(select(owner).where(table.c.group_id == group_id)),
        )
        for table, owner in _MEMBERS
    )
    return _effect(gain, promised, others, by)


def effect_of_deleting(group_id: int, by: User) -> Effect:
    """Who would lose the group."""
    return _effect(
        user_groups.c.group_id == group_id, invitation_groups.c.group_id == group_id, [group_id], by
    )


_MEMBERS = (
    (user_groups, user_groups.c.user_id),
    (invitation_groups, invitation_groups.c.invitation_id),
)


def _effect(
    members: ColumnElement[bool], promised: ColumnElement[bool], ids: Sequence[int], by: User
) -> Effect:
    is_one = User.id.in_(select(user_groups.c.user_id).where(members))
    people = (
        select(func.count(), func.count().filter(Role.rank > by.role.rank))
        .select_from(User)
        .join(Role)
        .where(is_one)
    )
    n, above = db.session.execute(people).one()
    is_promised = Invitation.id.in_(select(invitation_groups.c.invitation_id).where(promised))
    pending = select(func.count(Invitation.id)).where(
        is_promised, Invitation.state == InvitationState.PENDING
    )
    return Effect(
        n, db.session.scalar(pending) or 0, aliases.count_rows_naming(AliasKind.GROUP, ids), above
    )


def add_groups(names: Iterable[str], by: User, description: str = "") -> list[Group]:
    """Add groups, all or none; a repeated name counts once. description: of each of them.

    Raises RuleViolationError (field "names") for invalid names, ValidationError for a description that is too long.
    """
    typed = list(names)
    if len(typed) > MOST_AT_ONCE:
        raise RuleViolationError(
            f"At most {MOST_AT_ONCE:,} groups are added at once. Add them in several steps.",
            field="names",
        )
    wanted = clean_names(typed)
    described = GroupSchema(only=("description",)).load({"description": description})["description"]
    begin_write()
    try:
        groups = create_groups(wanted, described)
    except IntegrityError as error:
        db.session.rollback()
        raise RuleViolationError(
            "Somebody else added such a group just now. Load the page again.", field="names"
        ) from error
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
    if values == before:
        db.session.rollback()
        return group
    with raise_if_taken(ConflictError(TAKEN)):
        aliases.rename(AliasKind.GROUP, group, values["name"])
        group.description = values["description"]
        events.record(by, AuditAction.GROUP_CHANGED, group, before=before, after=values)
        lookup.bump_version()
        db.session.commit()
    return group


def merge_groups(group_id: int, others: Sequence[int], by: User, seen: str) -> Group:
    """Merge others into a group: their people get it, their names mean it. seen: `Effect.seen` of the page.

    Raises RuleViolationError if there is nothing to merge, NotFoundError, or ConflictError if the page said otherwise.
    """
    begin_write()
    gone: dict[int, Group] = {
        group_id: aliases.get_named(AliasKind.GROUP, group_id)
        for group_id in sorted({group_id, *others})
    }
    group = gone.pop(group_id)
    if not gone:
        db.session.rollback()
        raise RuleViolationError("Choose at least one group to merge.")
    _check_seen(effect_of_merging(group_id, list(gone), by), seen)
    for other in gone.values():
        gained = effect_of_merging(group_id, [other.id], by)
        for table, owner in _MEMBERS:
            _give_to_members(table, owner, other.id, group_id)
        aliases.transfer_names(AliasKind.GROUP, other, group)
        events.record(
            by, AuditAction.GROUP_MERGED, other, into=group.name, **_audit_details(gained)
        )
        db.session.flush()
        db.session.execute(delete(Group).where(Group.id == other.id))
    lookup.bump_version()
    db.session.commit()
    return group


def delete_group(group_id: int, by: User, seen: str) -> str:
    """Delete a group with its memberships and aliases. seen: `Effect.seen` of the page. -> its name.

    Raises NotFoundError, or ConflictError if the page said otherwise.
    """
    begin_write()
    group: Group = aliases.get_named(AliasKind.GROUP, group_id)
    effect, name = effect_of_deleting(group_id, by), group.name
    _check_seen(effect, seen)
    names = [alias.word for alias in aliases.list_aliases(AliasKind.GROUP)[group_id]]
    events.record(
        by,
        AuditAction.GROUP_DELETED,
        group,
        description=group.description,
        names=names,
        **_audit_details(effect),
    )
    db.session.flush()
    db.session.execute(delete(Group).where(Group.id == group_id))
    lookup.bump_version()
    db.session.commit()
    return name


def _give_to_members(table: Table, owner: ColumnElement[int], of: int, group_id: int) -> None:
    has_it = select(owner).where(table.c.group_id == group_id)
    theirs = select(owner, literal(group_id)).where(table.c.group_id == of, owner.not_in(has_it))
    db.session.execute(insert(table).from_select([owner.name, "group_id"], theirs))


def _check_seen(effect: Effect, seen: str) -> None:
    if effect.seen != seen:
        db.session.rollback()
        raise ConflictError(
            "Nothing was changed: other people are in it than this page said. Look again, then decide."
        )


def _audit_details(effect: Effect) -> dict[str, int]:
    """The effect for the audit log. Managing groups may touch people of higher rank, so that is recorded, too."""
    return {
        "users": effect.users,
        "invitations": effect.invitations,
        "rows": effect.rows,
        "ranked_above": effect.above,
    }


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
