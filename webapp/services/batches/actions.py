"""Actions on people: staged as a batch for many, or applied at once to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import select

from webapp import queue
from webapp.core.errors import (
    ForbiddenError,
    MusterError,
    NotFoundError,
    RateLimitError,
    RuleViolationError,
)
from webapp.core.plan import actions
from webapp.core.plan.actions import Action, Theirs
from webapp.core.plan.planner import Plan, Ref
from webapp.core.plan.registry import Registry
from webapp.core.text import action_phrases, batch_phrases, row_phrases
from webapp.core.text.phrases import CodedText
from webapp.db import begin_write, db
from webapp.models import Batch, BatchKind, BatchState, Row, User
from webapp.services.batches import apply, planner, staging
from webapp.services.batches.staging import NewRow
from webapp.services.directory import lookup, people_list
from webapp.services.mail import outbox

Kind = Literal["user", "invitation"]


def stage(
    people: frozenset[Ref],
    action: Action,
    by: User,
    scope: int = 0,
    facts: Sequence[CodedText] = (),
) -> Batch:
    """Stage a batch under review of what the action would do to each of them; nothing is done before it is confirmed.

    scope: how many people they were chosen from, where they are those who are missing. facts: where they come from; where this
    person's newest action under review is the same with the same facts, return that: a second press stages no other.

    Raises ForbiddenError where `by` lacks `action.do.permission`, RuleViolationError where nobody was chosen.
    """
    begin_write()
    registry = _check(action, by)
    rows = sorted(staging.find_people(people).values(), key=lambda row: row["email_key"])
    if not rows:
        raise RuleViolationError(
            "No one was chosen. Tick the people in the list, and choose what to do."
        )
    for line, row in enumerate(rows, start=1):
        row["line"] = line
    does = action.as_dict()
    if facts and (same := _find_same(by, does, rows, list(facts))):
        db.session.rollback()
        return same
    title = batch_phrases.name_action(action, len(rows), registry)
    return staging.stage_rows(
        rows,
        by,
        {"does": does},
        kind=BatchKind.ACTION,
        action=does,
        title={**title, "scope": scope} if scope else title,
        facts=list(facts),
    )


def _find_same(
    by: User, does: dict[str, Any], rows: Sequence[NewRow], facts: list[CodedText]
) -> Batch | None:
    """The newest action that `by` has under review, where it does the same to the same people."""
    own = (
        Batch.kind == BatchKind.ACTION,
        Batch.state == BatchState.REVIEWING,
        Batch.uploaded_by_id == by.id,
    )
    newest = db.session.scalar(select(Batch).where(*own).order_by(Batch.id.desc()).limit(1))
    if newest is None or (newest.action, newest.facts) != (does, facts):
        return None
    keys = planner.select_rows(newest).with_only_columns(Row.email_key)
    is_same = set(db.session.scalars(keys)) == {row["email_key"] for row in rows}
    return newest if is_same else None


def do_now(
    kind: Kind, person_id: int, action: Action, by: User, theirs: Theirs = Theirs.REVOKE_MANAGING
) -> str:
    """Apply an action to one person, in one transaction. Returns the sentence for the toast.

    theirs: what becomes of the invitations of somebody who is deactivated. Raises ForbiddenError, NotFoundError,
    RuleViolationError. It is the view that asks for a password
    where somebody becomes an administrator.
    """
    begin_write()
    person = lookup.people_by_id([(kind, person_id)]).get((kind, person_id))
    db.session.refresh(by)  # two who demote each other at once are not both still allowed to
    registry = _check(action, by)
    change = actions.plan(person, action, lookup.policy(by, registry))
    for issue in change.issues:
        error = _ERRORS.get(issue["code"], RuleViolationError)
        raise error(row_phrases.describe(issue))
    who: str = db.session.get_one(people_list.KINDS[kind], person_id).title
    if change.plan is Plan.UNCHANGED:
        db.session.rollback()
        return f"Nothing to change for {who}."
    apply.apply(change, by, registry, theirs=theirs)
    lookup.bump_version()
    db.session.commit()
    if change.plan is Plan.INVITE:
        queue.enqueue_send()
        if waits := outbox.delivery_notice():
            return f"{who} is invited again. {waits}"
    return action_phrases.describe_done(action, who, registry)


def _check(action: Action, by: User) -> Registry:
    """The registry, where `by` may do this. Raises ForbiddenError or RuleViolationError."""
    if not by.may(action.do.permission):
        raise ForbiddenError
    registry = lookup.registry()
    if not action.is_known(registry):
        raise RuleViolationError("This role or group is not there any more. Choose another.")
    return registry


_ERRORS: dict[str, type[MusterError]] = {
    "person_gone": NotFoundError,
    "resend_limit": RateLimitError,
}
"""Errors by the code of an issue; RuleViolationError for all others."""
