"""Actions on people: staged as a batch for many, or applied at once to one."""

from __future__ import annotations

from typing import Literal

from webapp import queue
from webapp.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RateLimitError,
    RuleViolationError,
)
from webapp.core.lists.people_filter import Filter
from webapp.core.plan import actions
from webapp.core.plan.actions import Action, Do, Theirs
from webapp.core.plan.planner import Plan, PlannedChange, Ref
from webapp.core.plan.registry import Registry
from webapp.core.text import action_phrases, batch_phrases, row_phrases
from webapp.db import begin_write, db
from webapp.models import Batch, BatchKind, Invitation, User
from webapp.services.audit import events
from webapp.services.audit.actions import AuditAction
from webapp.services.batches import apply, people_rows, replan
from webapp.services.directory import lookup, people_list
from webapp.services.mail import outbox

Kind = Literal["user", "invitation"]
Chosen = frozenset[Ref] | Filter
"""Whom an action is for: these people, or everybody that the list's filter finds."""


def stage(people: Chosen, action: Action, by: User) -> Batch:
    """Stage a batch under review of what the action would do to each of them; nothing is done before it is confirmed.

    Raises ForbiddenError where `by` lacks `action.do.permission`, RuleViolationError where nobody was chosen.
    """
    begin_write()
    registry = _check(action, by)
    refs = people_list.find_refs(people) if isinstance(people, Filter) else people
    batch = people_rows.new_batch(by, kind=BatchKind.ACTION, action=action.as_dict())
    chosen = people_rows.add(batch, ((None, ref) for ref in refs))
    if not chosen:
        raise RuleViolationError(
            "No one was chosen. Tick the people in the list, and choose what to do."
        )
    batch.title = batch_phrases.name_action(action, chosen, registry)
    replan.plan_batch(batch)
    events.record(by, AuditAction.BATCH_STAGED, batch, does=action.as_dict(), rows=chosen)
    db.session.commit()
    return batch


def do_now(
    kind: Kind, person_id: int, action: Action, by: User, theirs: Theirs = Theirs.REVOKE_MANAGING
) -> str:
    """Apply an action to one person, in one transaction. Returns the sentence for the toast.

    theirs: what becomes of the invitations of somebody who is deactivated. Raises ForbiddenError, NotFoundError; ConflictError
    where the person's state is in its way; RuleViolationError where a rule is. It is the view that asks for a password
    where somebody becomes an administrator.
    """
    begin_write()
    person = lookup.people_by_id([(kind, person_id), ("user", by.id)]).get((kind, person_id))
    db.session.refresh(by)  # two who demote each other at once are not both still allowed to
    registry = _check(action, by)
    if person is None:
        raise NotFoundError(row_phrases.describe({"code": "person_gone"}))
    change = actions.plan(person, action, lookup.policy(by, registry))
    _raise_refusal(change)
    subject: User | Invitation = (
        db.session.get_one(User, person_id)
        if kind == "user"
        else db.session.get_one(Invitation, person_id)
    )
    who = subject.name if isinstance(subject, User) else subject.email
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
        raise ForbiddenError(
            "Your role does not include this. Ask an administrator if you need it."
        )
    registry = lookup.registry(by)
    if action.do is Do.SET_ROLE and action.role not in registry.role_by_id:
        raise RuleViolationError("This role is not there any more. Choose another.", field="role")
    if not action.groups <= registry.group_by_id.keys():
        raise RuleViolationError(
            "One of these groups is not there any more. Choose again.", field="groups"
        )
    return registry


def _raise_refusal(change: PlannedChange) -> None:
    for issue in change.issues:
        sentence = row_phrases.describe(issue.as_dict())
        if issue.code in actions.STATE_CODES:
            raise ConflictError(sentence)
        if issue.code == "resend_limit":
            raise RateLimitError(sentence)
        raise RuleViolationError(sentence)
