"""What actions and reverts are called on screen. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Plan
from webapp.core.plan.registry import Registry
from webapp.core.plan.revert import WITHDRAWS
from webapp.core.text.formatting import plural


@dataclass(frozen=True, slots=True)
class Words:
    """acts: on a row that something will be done to; done: on one to which it was; left: on one that is left as it is."""

    acts: str
    done: str
    left: str = "Left out"
    already: str = "Already so"


REVERT = Words("Restore", "Reverted", "Kept", "Back already")
"""Of a revert; a row whose invitation it revokes says so itself."""

_WORDS = {
    Do.SET_ROLE: Words("Role change", "Role changed"),
    Do.SET_GROUPS: Words("Group change", "Groups changed"),
    Do.ADD_GROUPS: Words("Group change", "Groups changed"),
    Do.REMOVE_GROUPS: Words("Group change", "Groups changed"),
    Do.DEACTIVATE: Words("Deactivate", "Deactivated"),
    Do.REACTIVATE: Words("Reactivate", "Reactivated"),
    Do.RESEND: Words("Resend", "Sent again"),
    Do.REVOKE: Words("Revoke", "Revoked"),
}


def words_of(action: Action) -> Words:
    """Of an action."""
    return _WORDS[action.do]


def name_revert(counts: Mapping[str, int]) -> str:
    """What a revert does: "Revoke 5 invitations, restore 7 people"."""
    revoked = counts.get(WITHDRAWS, 0)
    restored = counts.get(Plan.UPDATE, 0) - revoked
    told = [
        f"revoke {plural(revoked, 'invitation')}" if revoked else "",
        f"restore {plural(restored, 'person')}" if restored else "",
    ]
    return ", ".join(filter(None, told)).capitalize() or "Revert nothing"


def describe_rest(counts: Mapping[str, int], words: Words) -> str:
    """What is left as it is, after the sentence of what is done: "2 are so already. 3 cannot be." """
    same, cannot = counts.get(Plan.UNCHANGED, 0), counts.get(Plan.ATTENTION, 0)
    is_revert = words is REVERT
    told = [
        f"{same:,} {'is' if same == 1 else 'are'} {'as before' if is_revert else 'so'} already." if same else "",
        f"{cannot:,} {('is kept' if cannot == 1 else 'are kept') if is_revert else 'cannot be changed'}." if cannot else "",
    ]
    return " ".join(filter(None, told))


def describe_done(action: Action, who: str, registry: Registry) -> str:
    """What was done to one person, as a sentence."""
    match action.do:
        case Do.SET_ROLE:
            return f"{who} is {registry.role_by_id[action.role or 0].name} now."
        case Do.DEACTIVATE:
            return f"{who} was deactivated, and is signed out everywhere."
        case Do.REACTIVATE:
            return f"{who} can sign in again."
        case Do.RESEND:
            return f"Invitation sent again to {who}"
        case Do.REVOKE:
            return f"The invitation to {who} was revoked. Its link no longer works."
    return f"The groups of {who} were changed."
