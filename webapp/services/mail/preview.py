"""A batch's e-mail before anybody gets it, written for one of its people: for the preview and for tests. Questions only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select

from webapp.core.plan.planner import Access, Plan
from webapp.core.plan.registry import ALL_GROUPS, Registry, fold
from webapp.db import db
from webapp.mail import messages
from webapp.mail.messages import Email
from webapp.models import Batch, Message, Row, User
from webapp.schemas.rows import split_groups
from webapp.services.directory import lookup
from webapp.services.settings import in_force


def example_row(batch: Batch) -> Row | None:
    """Whose e-mail is shown: the first who is invited, else the first who is there at all."""
    standing = (
        select(Row)
        .where(Row.batch_id == batch.id, Row.removed_at.is_(None))
        .order_by(Row.line)
        .limit(1)
    )
    return db.session.scalar(standing.where(Row.plan == Plan.INVITE)) or db.session.scalar(standing)


def render_example(
    batch: Batch, row: Row, by: User, typed: Mapping[str, Any] | None = None
) -> Email:
    """The e-mail that this row's person would get if `by` confirmed; its link leads nowhere.

    typed: valid_days and message that are not stored yet.
    """
    values = _values(batch, row, (by.name, by.email), lookup.registry())
    if typed:
        values |= {"expires_days": typed["valid_days"], "message": typed["message"]}
    return messages.invitation(
        **values, to=row.email, link=f"{in_force.environment().public_url}/invitations/…"
    )


def render_general_example(by: User) -> Email:
    """The general invitation e-mail for an example person, as if `by` invited them."""
    values = _general_values((by.name, by.email), lookup.registry())
    return messages.invitation(
        **values,
        to="ines.carvalho@example.org",
        link=f"{in_force.environment().public_url}/invitations/…",
    )


def values_of_tests(messages: Sequence[Message]) -> dict[int, dict[str, Any]]:
    """For test messages the arguments of `emails.invitation`, by their ids; without those whose row is gone.

    A test is from its own recipient, who asked for it.
    """
    if not messages:
        return {}
    wanted = {message.row_id for message in messages}
    found = {
        row.id: (batch, row)
        for row, batch in db.session.execute(
            select(Row, Batch).join(Batch).where(Row.id.in_(wanted))
        )
    }
    names, registry = requester_names(messages), lookup.registry()
    contents = {}
    for message in messages:
        inviter, of_row = (
            (names.get(message.recipient, ""), message.recipient),
            found.get(message.row_id or 0),
        )
        if of_row or message.user_id:
            values = (
                _values(*of_row, inviter, registry)
                if of_row
                else _general_values(inviter, registry)
            )
            contents[message.id] = {**values, "to": message.recipient, "link": None}
    return contents


def requester_names(messages: Sequence[Message]) -> dict[str, str]:
    """The names of those who get these tests, by e-mail."""
    addresses = {message.recipient for message in messages}
    named = select(User.email, User.name).where(User.email.in_(addresses))
    return dict(db.session.execute(named).all()) if addresses else {}


def _values(batch: Batch, row: Row, inviter: tuple[str, str], registry: Registry) -> dict[str, Any]:
    role, groups = _access(row, registry)
    return {
        **in_force.letterhead(),
        "inviter": inviter[0],
        "reply_to": in_force.reply_to(inviter),
        "role": role,
        "groups": groups,
        "expires_days": batch.valid_days,
        "message": batch.message,
    }


def _general_values(inviter: tuple[str, str], registry: Registry) -> dict[str, Any]:
    return {
        **in_force.letterhead(),
        "inviter": inviter[0],
        "reply_to": in_force.reply_to(inviter),
        "role": next(
            (role.name for role in registry.roles if not role.manages_people and not role.is_owner),
            "",
        ),
        "groups": [group.name for group in registry.groups[:2]],
        "expires_days": in_force.settings().invite_days,
    }


def _access(row: Row, registry: Registry) -> tuple[str, list[str] | str]:
    """The role and the groups in names: as planned, or as the cells say where nothing can be planned yet."""
    if "after" in row.change_dict:
        access = Access.from_dict(row.change_dict["after"])
        names = sorted(
            registry.group_by_id[group_id].name
            for group_id in access.groups
            if group_id in registry.group_by_id
        )
        # a role may be deleted after its rows were planned
        if role := registry.role_by_id.get(access.role):
            return role.name, ALL_GROUPS if access.everything else names
    named = registry.role_by_key.get(fold(row.role))
    return named.name if named else row.role, split_groups(row.groups)
