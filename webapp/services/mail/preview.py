"""A batch's e-mail before anybody gets it, written for one of its people: for the preview and for tests. Questions only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from webapp.core.plan.planner import Access, Plan
from webapp.core.plan.registry import ALL_GROUPS, fold
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
    values = _batch_values(batch, row)
    if typed:
        values |= {"expires_days": typed["valid_days"], "message": typed["message"]}
    return _write(values, (by.name, by.email), row.email, _no_link())


def render_general_example(by: User) -> Email:
    """The general invitation e-mail for an example person, as if `by` invited them."""
    return _write(_general_values(), (by.name, by.email), "ines.carvalho@example.org", _no_link())


def render_test(message: Message) -> Email | None:
    """A test, which is from its own recipient, who asked for it; None where its upload was discarded."""
    if not (message.row or message.user_id):
        return None
    values = _batch_values(message.row.batch, message.row) if message.row else _general_values()
    name = db.session.scalar(select(User.name).where(User.email == message.recipient))
    return _write(values, (name or "", message.recipient), message.recipient, None)


def _write(values: Mapping[str, Any], inviter: tuple[str, str], to: str, link: str | None) -> Email:
    """inviter: name and e-mail."""
    letterhead: dict[str, Any] = {**in_force.letterhead(), "inviter": inviter[0]}
    return messages.invitation(
        **letterhead,
        **values,
        reply_to=in_force.reply_to(inviter),
        to=to,
        link=link,
    )


def _no_link() -> str:
    return f"{in_force.environment().public_url}/invitations/…"


def _batch_values(batch: Batch, row: Row) -> dict[str, Any]:
    role, groups = _access(row)
    return {
        "role": role,
        "groups": groups,
        "expires_days": batch.valid_days,
        "message": batch.message,
    }


def _general_values() -> dict[str, Any]:
    registry = lookup.registry()
    ordinary = [role for role in registry.roles if not (role.manages_people or role.is_owner)]
    return {
        "role": ordinary[0].name if ordinary else "",
        "groups": [group.name for group in registry.groups[:2]],
        "expires_days": in_force.settings().invite_days,
    }


def _access(row: Row) -> tuple[str, list[str] | str]:
    """The role and the groups in names: as planned, or as the cells say where nothing can be planned yet."""
    registry = lookup.registry()
    if "after" in row.change_dict:
        access = Access.from_dict(row.change_dict["after"])
        names = [group.name for group in registry.groups if group.id in access.groups]
        # a role may be deleted after its rows were planned
        if role := registry.role_by_id.get(access.role):
            return role.name, ALL_GROUPS if access.everything else names
    named = registry.role_by_key.get(fold(row.role))
    return named.name if named else row.role, split_groups(row.groups)
