"""The rules of docs/rules.md, "Actions on people" and "Reverting", on plain values."""

from __future__ import annotations

from dataclasses import replace

import pytest
from webapp.core.plan import actions
from webapp.core.plan.actions import Action, Do
from webapp.core.plan.planner import Access, Person, Plan, PlannedChange
from webapp.core.text import action_phrases, row_phrases

from tests.core.values import ADMIN, ANALYST, OWNER, REMOTE, A, B, C, invited, policy, user

ROLE = Action(Do.SET_ROLE, role=REMOTE)
ADD_B = Action(Do.ADD_GROUPS, groups=frozenset({B}))
GONE = user(state="deactivated")
OVER = invited(state="expired")


def found(person: Person | None, action: Action, **by) -> tuple[str, str]:
    step = actions.plan(person, action, policy(**by))
    return step.plan.value, step.effect or " ".join(row_phrases.describe(issue) for issue in step.issues)


@pytest.mark.parametrize(
    ("person", "action", "expected"),
    [
        (user(), ROLE, ("update", "")),
        (user(role=REMOTE), ROLE, ("unchanged", "")),
        (invited(), ROLE, ("update", "")),
        (OVER, ROLE, ("attention", "This invitation has expired. Resend it first.")),
        (GONE, ADD_B, ("attention", "This account is deactivated. Reactivate it first.")),
        (user(), Action(Do.SET_ROLE, role=OWNER), ("attention", "Owner cannot be assigned.")),
        (user(), Action(Do.SET_ROLE, role=99), ("attention", "This role or group is not there any more.")),
        (user(groups=[A]), ADD_B, ("update", "")),
        (user(groups=[A, B]), ADD_B, ("unchanged", "")),
        (user(everything=True), ADD_B, ("unchanged", "")),
        (user(), Action(Do.ADD_GROUPS, groups=frozenset({99})), ("attention", "This role or group is not there any more.")),
        (
            user(everything=True),
            Action(Do.REMOVE_GROUPS, groups=frozenset({A})),
            ("attention", "Has All groups: single groups cannot be taken from that."),
        ),
        (user(), Action(Do.DEACTIVATE), ("update", "deactivate")),
        (GONE, Action(Do.DEACTIVATE), ("unchanged", "")),
        (GONE, Action(Do.REACTIVATE), ("update", "reactivate")),
        (user(), Action(Do.REACTIVATE), ("unchanged", "")),
        (invited(), Action(Do.REACTIVATE), ("attention", "Not a user yet.")),
        (invited(), Action(Do.RESEND), ("invite", "resend")),
        (OVER, Action(Do.RESEND), ("invite", "resend")),
        (OVER, Action(Do.REVOKE), ("update", "revoke")),
        (user(), Action(Do.REVOKE), ("attention", "Not an invitation.")),
        (invited(state="accepted"), Action(Do.REVOKE), ("attention", "This invitation was accepted.")),
        (invited(state="revoked"), Action(Do.RESEND), ("attention", "This invitation was revoked.")),
        (None, Action(Do.DEACTIVATE), ("attention", "This person is not here any more.")),
        (user(role=OWNER), Action(Do.DEACTIVATE), ("attention", "The Owner cannot be changed.")),
        (user(role=OWNER), ADD_B, ("attention", "The Owner cannot be changed.")),
    ],
)
def test_what_an_action_does(person, action, expected):
    assert found(person, action) == expected


@pytest.mark.parametrize("do", list(Do))
def test_nobody_acts_on_somebody_above_them(do):
    action = Action(do, role=REMOTE, groups=frozenset({B}))
    had = [B] if do is Do.REMOVE_GROUPS else [A]
    person = invited(role=ADMIN) if do in (Do.RESEND, Do.REVOKE) else user(role=ADMIN, groups=had)
    person = replace(person, state="deactivated") if do is Do.REACTIVATE else person
    assert found(person, action, rank=50) == ("attention", "You cannot change people with the role Admin: it ranks above yours.")


def test_nobody_changes_their_own_role_or_deactivates_themselves_but_their_groups():
    own = {"protected": frozenset({7})}
    assert found(user(), ROLE, **own) == ("attention", "You cannot change your own role.")
    assert found(user(), Action(Do.DEACTIVATE), **own) == ("attention", "You cannot deactivate yourself.")
    assert found(user(), ADD_B, **own) == ("update", "")


def test_three_resends_an_hour():
    assert found(replace(invited(), sent_this_hour=2), Action(Do.RESEND))[0] == "invite"
    assert found(replace(invited(), sent_this_hour=3), Action(Do.RESEND))[0] == "attention"


def test_who_becomes_an_administrator_is_marked_also_by_reactivating():
    assert actions.plan(user(), Action(Do.SET_ROLE, role=ADMIN), policy()).marks == ("admin", "wide")
    assert actions.plan(user(role=ADMIN, state="deactivated"), Action(Do.REACTIVATE), policy()).marks == ("admin", "wide")


BEFORE, AFTER = Access(ANALYST, frozenset({A})), Access(REMOTE, frozenset({B}))
CHANGED = PlannedChange(Plan.UPDATE, ("user", 7), BEFORE, AFTER)
INVITED = PlannedChange(Plan.INVITE, None, None, AFTER)
SWITCHED = PlannedChange(Plan.UPDATE, ("user", 7), BEFORE, BEFORE, effect=Do.DEACTIVATE, was="active")


@pytest.mark.parametrize(
    ("done", "person", "plan", "after", "effect"),
    [
        (CHANGED, user(REMOTE, [B]), "update", BEFORE, None),
        (CHANGED, user(ANALYST, [A]), "unchanged", BEFORE, None),
        (CHANGED, user(REMOTE, [C]), "attention", None, None),
        (CHANGED, user(REMOTE, [B], state="deactivated"), "attention", None, None),
        (CHANGED, None, "attention", None, None),
        (INVITED, invited(REMOTE, [B]), "update", AFTER, Do.REVOKE),
        (INVITED, invited(REMOTE, [B], state="expired"), "update", AFTER, Do.REVOKE),
        (INVITED, replace(invited(REMOTE, [B]), sent=2), "attention", None, None),
        (INVITED, invited(REMOTE, [B], state="accepted"), "attention", None, None),
        (INVITED, invited(REMOTE, [B], state="revoked"), "unchanged", AFTER, None),
        (INVITED, invited(REMOTE, [A]), "attention", None, None),
        (SWITCHED, user(ANALYST, [A], state="deactivated"), "update", BEFORE, Do.REACTIVATE),
        (SWITCHED, user(ANALYST, [A]), "unchanged", BEFORE, None),
        (SWITCHED, user(ANALYST, [B], state="deactivated"), "attention", None, None),
    ],
)
def test_what_a_revert_does(done, person, plan, after, effect):
    step = actions.plan_revert(done, person, policy())
    assert (step.plan.value, step.after, step.effect) == (plan, after, effect)


def test_an_email_cannot_be_taken_back():
    assert not actions.can_be_undone(PlannedChange(Plan.INVITE, ("invitation", 9), AFTER, AFTER, effect=Do.RESEND))
    assert not actions.can_be_undone(PlannedChange(Plan.INVITE, ("invitation", 9), AFTER, AFTER))
    assert all(actions.can_be_undone(step) for step in (CHANGED, INVITED, SWITCHED))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"update": 12, "withdraws": 5}, "Revoke 5 invitations, restore 7 people"),
        ({"update": 1, "withdraws": 1}, "Revoke 1 invitation"),
        ({"update": 1}, "Restore 1 person"),
    ],
)
def test_a_revert_in_words(counts, said):
    assert action_phrases.name_revert(counts) == said


def test_an_action_read_back_is_the_same():
    assert Action.from_dict(ADD_B.as_dict()) == ADD_B
