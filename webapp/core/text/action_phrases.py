"""What actions and reverts are called on screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webapp.core.plan.actions import WITHDRAWS, Action, Do
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import Registry
from webapp.core.text import phrases


@dataclass(frozen=True, slots=True)
class Words:
    """acts: on a row that something will be done to; done: on one to which it was; left: on one that is left as it is."""

    acts: str
    done: str
    left: str = "Left out"
    already: str = "Already so"


REVERT = Words("Restore", "Reverted", "Kept", "Back already")
"""Of a revert; a row whose invitation it revokes says so itself."""

WORDS = {
    Do.SET_ROLE: Words("Role change", "Role changed"),
    Do.SET_GROUPS: Words("Group change", "Groups changed"),
    Do.ADD_GROUPS: Words("Group change", "Groups changed"),
    Do.REMOVE_GROUPS: Words("Group change", "Groups changed"),
    Do.DEACTIVATE: Words("Deactivate", "Deactivated"),
    Do.REACTIVATE: Words("Reactivate", "Reactivated"),
    Do.RESEND: Words("Resend", "Sent again"),
    Do.REVOKE: Words("Revoke", "Revoked"),
    Do.END_ACCESS: Words("Deactivate", "Ended"),
}


_DONE = {
    "set_role": "{who} is {role} now.",
    "set_groups": "The groups of {who} were changed.",
    "add_groups": "The groups of {who} were changed.",
    "remove_groups": "The groups of {who} were changed.",
    "deactivate": "{who} was deactivated, and is signed out everywhere.",
    "reactivate": "{who} can sign in again.",
    "resend": "Invitation sent again to {who}",
    "revoke": "The invitation to {who} was revoked. Its link no longer works.",
}

_COUNTS = {
    "revoke": "revoke {n} {n:invitation|invitations}",
    "restore": "restore {n} {n:person|people}",
    "so_already": "{n} {n:is|are} so already.",
    "impossible": "{n} cannot be changed.",
}


def name_revert(counts: Mapping[str, int]) -> str:
    """What a revert does: "Revoke 5 invitations, restore 7 people"."""
    revoked = counts.get(WITHDRAWS, 0)
    restored = counts.get(Plan.UPDATE, 0) - revoked
    parts = phrases.describe_counts(_COUNTS, {"revoke": revoked, "restore": restored})
    return ", ".join(parts).capitalize() or "Revert nothing"


def describe_rest(counts: Mapping[str, int]) -> str:
    """What is left as it is, after the sentence of what is done: "2 are so already. 3 cannot be changed." """
    found = {
        "so_already": counts.get(Plan.UNCHANGED, 0),
        "impossible": counts.get(Plan.ATTENTION, 0),
    }
    return " ".join(phrases.describe_counts(_COUNTS, found))


def describe_done(action: Action, who: str, registry: Registry) -> str:
    """What was done to one person, as a sentence."""
    said = {"code": action.do.value, "who": who}
    if action.role:
        said["role"] = registry.role_by_id[action.role].name
    return phrases.describe(_DONE, said)
