"""Actions on people: staged as a batch for many, or done at once to one."""

from __future__ import annotations

from typing import Literal

from webapp.core.actions import Action
from webapp.models import Batch, User
from webapp.core.people import Filter

Chosen = frozenset[tuple[Literal["user", "invitation"], int]] | Filter
"""Whom an action is for: these people, or everybody that the list's filter finds."""


def stage(people: Chosen, action: Action, by: User) -> Batch:
    """A batch under review of what the action would do to each of them; nothing is done before it is confirmed.

    Raises NotAllowed where `by` lacks `action.do.permission`, Refused where nobody was chosen.
    """
    raise NotImplementedError


def do_now(kind: Literal["user", "invitation"], id: int, action: Action, by: User) -> str:
    """Do it to one person, in one transaction, as a worker does a batch's row. -> the sentence for the toast.

    Raises NotAllowed, NotThere; Conflict where the person's state is in its way; Refused where a rule is.
    """
    raise NotImplementedError
