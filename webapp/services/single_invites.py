"""Inviting one person: no batch, but the very steps of a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp import queue
from webapp.core.addresses import parse
from webapp.core.errors import Refused
from webapp.core.planning import Person, Plan, Policy
from webapp.db import begin_write, db
from webapp.models import Invitation, User
from webapp.services import directory, invitations, plans, steps


class NotInvited(Refused):
    """A single invite that was refused: sentences by field, and the person or invitation in its way."""

    def __init__(self, issues: list[dict[str, Any]], person: Person | None = None) -> None:
        super().__init__(" ".join(issue["text"] for issue in issues))
        self.issues = issues
        self.person = person


def invite(cells: Mapping[str, str], by: User) -> Invitation:
    """Invite one person: the very steps of a row, in one transaction, then the bell. Raises NotInvited."""
    settings = directory.settings()
    begin_write()
    registry = directory.registry(by)
    policy = Policy(registry, by.role.rank, protected=frozenset({by.id}))
    judgement = plans.judged([(1, cells)], policy)[1]
    step, key = judgement.step, str(judgement.email_key)
    if (person := directory.people([key]).get(key)) and not person.is_gone:
        raise NotInvited([_in_the_way(person.kind)], person)
    if judgement.issues:
        raise NotInvited(judgement.issues)
    address = parse(cells["email"].strip(), registry.allowed_domains)
    with invitations.unless_beaten("Somebody invited this person a moment ago."):
        _, invitation = steps.carry_out(step, address, by, registry, valid_days=settings.invite_days)
        assert invitation is not None
        assert step.plan is Plan.INVITE
        directory.moved()
        db.session.commit()
    queue.ring("webapp.jobs.outbox.send", name="outbox")
    return invitation


def _in_the_way(kind: str) -> dict[str, str]:
    sentence = "This person already has an account." if kind == "user" else "This person is already invited."
    return {"field": "email", "text": sentence, "code": "exists"}
