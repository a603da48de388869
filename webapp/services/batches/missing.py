"""Who is missing: people of the earlier list, a group or a role who are not in an upload. docs/rules.md, "Who is missing"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, union

from webapp.core.errors import ConflictError, NotFoundError
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Ref
from webapp.db import db
from webapp.models import (
    Batch,
    BatchKind,
    BatchState,
    Group,
    InvitationState,
    ReplacedAddress,
    Row,
    User,
    UserKind,
    UserState,
)
from webapp.services.batches import actions, planner, review, same_list, upload
from webapp.services.directory import lookup, people_list

EARLIER = "earlier"
"""The scope that is the list as it was sent before."""
_WITHOUT_ROWS = (BatchState.MAPPING, BatchState.DISCARDED)
SHOWN = 100
"""People on the page; the review of the action shows all."""


@dataclass(frozen=True, slots=True)
class Missing:
    """People of a scope who are not in the file, users first, and how many people the scope has."""

    people: Sequence[Ref]
    size: int


def get_file(batch_id: int) -> Batch:
    """An upload whose rows are all known. Raises ConflictError: where some are not, nobody can tell who is missing."""
    batch = review.get_batch(batch_id)
    if not is_known(batch):
        raise ConflictError(
            f"Not all rows of {batch.name} are kept, so nobody can tell who is missing."
        )
    return batch


def is_known(batch: Batch) -> bool:
    """Whether all rows of the file are here, those of its other parts too."""
    return batch.kind is BatchKind.UPLOAD and all(
        part.tally is None and part.state not in _WITHOUT_ROWS
        for part in upload.parts_of(batch) or [batch]
    )


def count_missing(batch: Batch) -> int:
    """How many people of the earlier list are not in the file; 0 where nobody can tell. Counted by the database."""
    if EARLIER not in list_scopes(batch) or not is_known(batch):
        return 0
    n = 0
    for model in people_list.KINDS.values():
        query, key = _select_people(EARLIER, batch, model)
        counted = query.where(key.is_(None)).with_only_columns(func.count())
        n += db.session.scalar(counted) or 0
    return n


def count_unreadable(batch: Batch) -> int:
    """How many rows of the file have no valid e-mail: whose they are nobody knows. Not one whose person was erased."""
    rows = planner.select_rows(batch).where(Row.email_key.is_(None), Row.email_wrong)
    return db.session.scalar(rows.with_only_columns(func.count())) or 0


def list_scopes(batch: Batch) -> dict[str, str]:
    """What a file can be compared with: its name by what an address says."""
    registry = lookup.registry()
    scopes = {}
    earlier = same_list.find_earlier(batch)
    if earlier and earlier.tally is None:
        scopes[EARLIER] = earlier.name
    for group in registry.groups:
        scopes[f"group-{group.id}"] = group.name
    for role in registry.roles:
        if not role.is_owner:
            scopes[f"role-{role.id}"] = role.name
    return scopes


def find_missing(batch: Batch, scope: str) -> Missing:
    """Who of the active users and pending invitations of a scope is not in the file, by their present address.

    A person whose row was removed is in the file all the same. Two queries, however many people. Raises NotFoundError for a scope
    that is not there any more.
    """
    if scope not in list_scopes(batch):
        raise NotFoundError("What you compare with is not there any more. Choose something else.")
    people: list[Ref] = []
    size = 0
    for kind, model in people_list.KINDS.items():
        query, _ = _select_people(scope, batch, model)
        for person_id, key in db.session.execute(query.order_by(model.email_key)):
            size += 1
            if key is None:
                people.append((kind, person_id))
    return Missing(people, size)


def _select_people(
    scope: str,
    batch: Batch,
    model: Any,
) -> tuple[Select[Any], ColumnElement[Any]]:
    """Select users or invitations of the scope, with their e-mail in the file; and that column, null where it is not there."""
    keys = union(*_keys_of(batch), _select_corrected(batch)).subquery()
    key: ColumnElement[Any] = keys.c.email_key
    state = UserState.ACTIVE if model is User else InvitationState.PENDING
    # a join: as a column, PostgreSQL would go through a long file for each person
    query = (
        select(model.id, key)
        .outerjoin(keys, key == model.email_key)
        .where(
            model.state == state,
            _is_in(scope, batch, model),
        )
    )
    if model is User:
        query = query.where(User.kind == UserKind.PERSON)
    return query, key


def _is_in(
    scope: str,
    batch: Batch,
    model: Any,
) -> ColumnElement[bool]:
    """A condition on users or invitations."""
    of, _, number = scope.partition("-")
    if of == "group":
        found: ColumnElement[bool] = model.groups.any(Group.id == int(number))
    elif of == "role":
        found = model.role_id == int(number)
    else:
        earlier = same_list.find_earlier(batch)
        assert earlier
        found = model.email_key.in_(union(*_keys_of(earlier, Row.removed_at.is_(None))))
    return found


def _keys_of(batch: Batch, *which: ColumnElement[bool]) -> list[Select[Any]]:
    """Selects of the e-mails of a file, in all its parts, and of those that replaced them."""
    rows = select(Row.email_key).where(_is_of(batch), Row.email_key.is_not(None), *which)
    is_old = ReplacedAddress.old_key.in_(rows)
    return [rows, select(ReplacedAddress.email_key).where(is_old)]


def _is_of(batch: Batch) -> ColumnElement[bool]:
    """A condition on rows: they are of the file, of all its parts."""
    return Row.batch_id.in_([part.id for part in upload.parts_of(batch)] or [batch.id])


def _select_corrected(batch: Batch) -> Select[Any]:
    """Select the e-mails that the earlier list corrected, where this file still has them as they read then."""
    read_here = select(Row.read_email).where(_is_of(batch), Row.read_email != "")
    return select(Row.email_key).where(
        Row.batch_id == batch.earlier_id,
        Row.email_key.is_not(None),
        Row.read_email.in_(read_here),
    )


def stage(batch: Batch, scope: str, by: User) -> Batch:
    """Stage an action that would end the access of those who are missing. Raises ConflictError where nobody is."""
    missing = find_missing(batch, scope)
    if not missing.people:
        raise ConflictError("Nobody is missing any more. Nothing was done.")
    words = list_scopes(batch)[scope]
    facts = [{"code": "missing", "scope": words, "name": batch.name}]
    action = Action(Do.END_ACCESS)
    return actions.stage(frozenset(missing.people), action, by, missing.size, facts)
