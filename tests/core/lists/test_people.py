"""The list of Role Management as its address carries it, and what can be done to whom."""

from __future__ import annotations

import pytest
from webapp.core.lists.people_filter import Filter, Sort, Status, applicable
from webapp.core.plan.actions import Do

from tests.core.values import ADMIN, MANAGES, OWNER, REMOTE, invited, policy, user


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"status": "unjoined", "q": "ana north", "role": "3", "group": "12", "sort": "-activity"},
        {"group": "none"},
        {"concern": "failed"},
        {"concern": "unsent", "upload": "7"},
    ],
)
def test_an_address_comes_back_as_it_was(query):
    assert Filter.parse(query).args() == query


@pytest.mark.parametrize(
    "query",
    [
        {"status": "gone", "role": "x", "group": "0", "sort": "age", "concern": "lost"},
        {"role": "-1", "group": "٣"},
        {"role": str(2**31)},
    ],
)
def test_what_an_address_does_not_know_is_left_out(query):
    assert Filter.parse(query) == Filter()


def test_a_search_is_one_line_of_limited_length():
    assert Filter.parse({"q": "  ana \n north "}).search == "ana north"
    assert len(Filter.parse({"q": "a" * 5000}).search) == 100


def test_an_order_leaves_nobody_out():
    assert not Filter(sort=Sort.ROLE).is_on
    assert Filter(group_id="none").is_on


def test_a_second_click_turns_the_order_and_the_newest_activity_comes_first():
    assert Sort.NAME.turned("name") == Sort.NAME_DOWN
    assert Sort.ROLE_DOWN.turned("role") == Sort.ROLE
    assert Sort.NAME.turned("activity") == Sort.ACTIVITY


def test_who_has_not_joined_is_invited_or_expired():
    assert Status.UNJOINED.parts == (Status.INVITED, Status.EXPIRED)


@pytest.mark.parametrize(
    ("person", "what"),
    [
        (user(), {Do.SET_ROLE, Do.DEACTIVATE, Do.SET_GROUPS}),
        (user(everything=True), {Do.SET_ROLE, Do.DEACTIVATE, Do.SET_GROUPS}),
        (user(REMOTE), {Do.SET_ROLE, Do.DEACTIVATE, Do.SET_GROUPS}),
        (user(OWNER), set()),
        (user(state="deactivated"), {Do.REACTIVATE}),
        (user(ADMIN, id=1), {Do.SET_GROUPS}),  # oneself
        (invited(), {Do.RESEND, Do.REVOKE, Do.SET_ROLE, Do.SET_GROUPS}),
        (invited(state="expired"), {Do.RESEND, Do.REVOKE}),
        (invited(state="accepted"), set()),
    ],
)
def test_what_an_admin_can_do_to_somebody(person, what):
    admin = policy(protected=frozenset({1}), permissions={*MANAGES, "invitations:make"})
    assert applicable(person, admin) == what


def test_nothing_can_be_done_to_somebody_ranked_above():
    assert applicable(user(ADMIN), policy(rank=50)) == set()
    assert applicable(invited(ADMIN), policy(rank=50)) == set()
