"""The rules of docs/rules.md, "Rules for a row", one by one; and properties that hold for every file."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.plan.planner import Access, Candidate, Mode, Person, Plan, PlannedChange, Policy, plan
from webapp.core.plan.registry import Registry
from webapp.core.text import row_phrases

from tests.core.values import ADMIN, ANALYST, MANAGES, OWNER, REGISTRY, REMOTE, A, B, C, invited, policy, user

BROKEN = {"field": "role", "code": "role_unknown"}


def row(line=2, email="ana@x.org", role=ANALYST, groups=None, everything=False, issues=()):
    wanted = None if issues else Access(role, frozenset(groups or ()), everything)
    return Candidate(line, email, email.rpartition("@")[2], wanted, tuple(issues))


def step(candidate, person=None, by=None) -> PlannedChange:
    people = {candidate.email_key: person} if person else {}
    return plan([candidate], people, by or policy())[candidate.line]


def sentences(found: PlannedChange) -> list[str]:
    return [row_phrases.describe(issue) for issue in found.issues]


class TestMisspeltDomains:
    def test_is_noted_and_blocks_nothing(self):
        found = step(row(email="ana@gmial.com"))
        assert (found.plan, found.issues, found.likely_domain) == (Plan.INVITE, (), "gmail.com")

    def test_is_noted_beside_another_problem(self):
        assert step(row(email="ana@gmial.com", issues=[BROKEN])).likely_domain == "gmail.com"

    def test_a_person_who_is_here_or_expected_has_the_right_address(self):
        assert step(row(email="ana@gmial.com"), user()).likely_domain is None
        assert step(row(email="ana@gmial.com"), invited()).likely_domain is None
        assert step(row(email="ana@gmial.com"), invited(state="expired")).likely_domain == "gmail.com"

    def test_a_row_that_is_left_out_keeps_the_note_so_that_one_fix_takes_both(self):
        found = plan([row(2, "ana@gmial.com"), row(3, "ana@gmial.com")], {}, policy())
        assert [(s.plan, s.likely_domain) for s in found.values()] == [
            (Plan.INVITE, "gmail.com"),
            (Plan.DUPLICATE, "gmail.com"),
        ]


class TestNobodyHasTheEmail:
    def test_is_invited_with_role_and_groups(self):
        found = step(row(groups=[A, B]))
        assert (found.plan, found.before, found.after) == (Plan.INVITE, None, Access(ANALYST, frozenset({A, B})))

    def test_blank_groups_mean_no_groups_and_never_everything(self):
        assert step(row()).after == Access(ANALYST)

    def test_all_groups_is_only_ever_literal_and_marked(self):
        found = step(row(groups=[], everything=True))
        assert found.after == Access(ANALYST, everything=True)
        assert found.marks == ("everything", "wide")

    def test_an_admin_is_marked(self):
        assert step(row(role=ADMIN)).marks == ("admin", "wide")

    def test_nobody_to_remove_from(self):
        assert sentences(step(row(), by=policy(Mode.REMOVE))) == ["Nobody to remove from."]

    def test_a_role_above_ones_own_is_not_granted(self):
        assert sentences(step(row(role=ADMIN), by=policy(rank=50))) == ["Admin ranks above your own role, or may do more."]

    @pytest.mark.parametrize("rank", [50, 80, 100])
    def test_owner_is_never_granted(self, rank):
        assert sentences(step(row(role=OWNER), by=policy(rank=rank))) == ["Owner cannot be assigned."]

    def test_allowed_domains_bind_new_invitations_only(self):
        bound = Policy(Registry(REGISTRY.roles, REGISTRY.groups, frozenset({"school.local"})), 80)
        assert sentences(step(row(), by=bound)) == ["Domain not allowed here."]
        assert step(row(), user(), bound).plan is Plan.UNCHANGED

    @pytest.mark.parametrize("state", ["expired", "revoked"])
    def test_a_closed_invitation_counts_as_nobody(self, state):
        found = step(row(groups=[A]), invited(role=REMOTE, state=state))
        assert (found.plan, found.before) == (Plan.INVITE, None)


class TestAnActiveUser:
    def test_the_same_is_unchanged(self):
        assert step(row(groups=[A]), user(groups=[A])).plan is Plan.UNCHANGED

    def test_blank_groups_leave_them(self):
        assert step(row(), user(groups=[A, B])).after == Access(ANALYST, frozenset({A, B}))

    @pytest.mark.parametrize(
        ("mode", "had", "file", "after"),
        [
            (Mode.REPLACE, {A}, {B}, {B}),
            (Mode.ADD, {A}, {B}, {A, B}),
            (Mode.REMOVE, {A, B}, {B, C}, {A}),
        ],
    )
    def test_groups_follow_the_mode(self, mode, had, file, after):
        found = step(row(groups=file), user(groups=had), policy(mode))
        assert (found.plan, found.after) == (Plan.UPDATE, Access(ANALYST, frozenset(after)))

    def test_another_role_is_kept_and_said(self):
        found = step(row(role=REMOTE), user())
        assert (found.plan, found.notes) == (Plan.UNCHANGED, ({"code": "role_kept", "role": "Remote"},))

    def test_another_role_is_applied_where_ticked(self):
        found = step(row(role=REMOTE), user(), policy(change_roles=True))
        assert (found.plan, found.after) == (Plan.UPDATE, Access(REMOTE))

    def test_a_deactivated_one_needs_attention(self):
        found = step(row(), user(state="deactivated"))
        assert sentences(found) == ["This account is deactivated. Reactivate it, or remove the row."]

    @pytest.mark.parametrize("ticked", [True, False])
    def test_nobody_changes_their_own_role(self, ticked):
        by = policy(change_roles=ticked, protected=frozenset({7}))
        assert sentences(step(row(role=REMOTE), user(), by)) == ["You cannot change your own role."]
        assert step(row(groups=[A]), user(), by).plan is Plan.UPDATE

    def test_nobody_changes_the_owner(self):
        assert sentences(step(row(role=OWNER, groups=[A]), user(role=OWNER))) == ["The Owner cannot be changed."]
        assert step(row(role=OWNER), user(role=OWNER)).plan is Plan.UNCHANGED

    def test_nobody_changes_somebody_above(self):
        found = step(row(role=ADMIN, groups=[A]), user(role=ADMIN), policy(rank=50))
        assert sentences(found) == ["You cannot change people with the role Admin: it ranks above yours."]
        assert step(row(role=ADMIN), user(role=ADMIN), policy(rank=50)).plan is Plan.UNCHANGED


class TestAllGroups:
    def test_adding_to_everything_changes_nothing(self):
        assert step(row(groups=[A]), user(everything=True), policy(Mode.ADD)).plan is Plan.UNCHANGED

    def test_removing_names_from_everything_needs_attention(self):
        found = step(row(groups=[A]), user(everything=True), policy(Mode.REMOVE))
        assert sentences(found) == ["Has All groups: single groups cannot be taken from that."]

    def test_removing_everything_leaves_no_groups(self):
        by = policy(Mode.REMOVE)
        assert step(row(groups=[], everything=True), user(everything=True), by).after == Access(ANALYST)
        assert step(row(groups=[], everything=True), user(groups=[A]), by).after == Access(ANALYST)


class TestAPendingInvitation:
    def test_the_same_is_unchanged(self):
        assert step(row(groups=[A]), invited(groups=[A])).plan is Plan.UNCHANGED

    def test_role_and_groups_follow_the_file_without_the_tick(self):
        found = step(row(role=REMOTE, groups=[B]), invited(groups=[A]))
        assert (found.plan, found.after, found.subject) == (Plan.UPDATE, Access(REMOTE, frozenset({B})), ("invitation", 9))

    def test_whose_email_failed_is_sent_again(self):
        found = step(row(), invited(failed=True))
        assert (found.plan, found.notes) == (Plan.INVITE, ({"code": "again"},))
        assert found.subject == ("invitation", 9)


class TestTheSameEmailTwice:
    def test_saying_the_same_is_left_out(self):
        steps = plan([row(2, groups=[A]), row(5, groups=[A])], {}, policy())
        assert (steps[2].plan, steps[5].plan, steps[5].twin) == (Plan.INVITE, Plan.DUPLICATE, 2)

    def test_saying_something_else_blocks_both(self):
        steps = plan([row(2, groups=[A]), row(5, groups=[B])], {}, policy())
        assert (steps[2].plan, steps[5].plan) == (Plan.ATTENTION, Plan.ATTENTION)
        assert sentences(steps[5]) == ["Same email as row 2, with another role or groups."]
        assert sentences(steps[2]) == ["Same email as row 5, with another role or groups."]

    def test_skipping_a_conflict_skips_both_and_sends_neither(self):
        steps = plan([row(2, groups=[A]), row(5, groups=[B])], {}, policy(skip_errors=True))
        assert {steps[2].plan, steps[5].plan} == {Plan.ATTENTION}

    def test_the_next_takes_the_place_of_a_broken_one_that_is_skipped(self):
        rows = [row(2, role=None, issues=[BROKEN]), row(5)]
        assert plan(rows, {}, policy(skip_errors=True))[5].plan is Plan.INVITE
        assert plan(rows, {}, policy())[5].plan is Plan.ATTENTION

    def test_three_of_which_one_differs(self):
        steps = plan([row(2), row(3), row(4, role=REMOTE)], {}, policy())
        assert [steps[n].plan for n in (2, 3, 4)] == [Plan.ATTENTION] * 3


# Properties

accesses = st.builds(Access, st.sampled_from([ADMIN, ANALYST, REMOTE]), st.frozensets(st.sampled_from([A, B, C])), st.just(False))
people = st.one_of(
    st.none(),
    st.builds(Person, st.just("user"), st.just(7), accesses, st.sampled_from(["active", "deactivated"])),
    st.builds(Person, st.just("invitation"), st.just(9), accesses, st.sampled_from(["pending", "expired"]), st.booleans()),
)
emails = st.sampled_from(["a@x.org", "b@x.org", "c@x.org"])
wishes = st.tuples(
    emails, st.sampled_from([OWNER, ADMIN, ANALYST, REMOTE]), st.none() | st.frozensets(st.sampled_from([A, B, C]), min_size=1)
)
policies = st.builds(
    Policy,
    st.just(REGISTRY),
    st.sampled_from([10, 50, 80, 100]),
    st.sampled_from([frozenset(), MANAGES]),
    st.just(frozenset({7})),
    st.sampled_from(Mode),
    st.booleans(),
    st.booleans(),
)


def rows_of(wanted):
    return [row(n, email, role, groups) for n, (email, role, groups) in enumerate(wanted, start=2)]


@given(st.lists(wishes, max_size=8), st.fixed_dictionaries({}, optional=dict.fromkeys(["a@x.org", "b@x.org"], people)), policies)
def test_nobody_gets_more_than_who_confirms_may_give(wanted, found, by):
    existing = {key: person for key, person in found.items() if person}
    for line, made in plan(rows_of(wanted), existing, by).items():
        if made.plan in (Plan.INVITE, Plan.UPDATE):
            assert made.after is not None
            new_role = made.before is None or made.before.role != made.after.role
            role = REGISTRY.role_by_id[made.after.role]
            is_within = role.rank <= by.rank and role.permissions <= by.permissions
            assert not new_role or (not role.is_owner and is_within), line


@given(st.lists(wishes, max_size=8), policies)
def test_at_most_one_row_of_an_email_acts(wanted, by):
    rows = rows_of(wanted)
    steps = plan(rows, {}, by)
    acting = [r.email_key for r in rows if steps[r.line].plan in (Plan.INVITE, Plan.UPDATE)]
    assert len(acting) == len(set(acting))


@given(st.lists(wishes, max_size=8), policies)
def test_uploading_again_what_was_done_changes_nothing(wanted, by):
    rows = rows_of(wanted)
    first = plan(rows, {}, by)
    invited_rows = [r for r in rows if first[r.line].plan is Plan.INVITE]
    done = {r.email_key: Person("invitation", r.line, first[r.line].after, "pending") for r in invited_rows}
    again = plan(rows, done, by)
    assert {again[r.line].plan for r in invited_rows} <= {Plan.UNCHANGED}


@given(st.lists(wishes, min_size=1, max_size=8), policies)
def test_the_plan_of_an_email_does_not_depend_on_other_emails(wanted, by):
    rows = rows_of(wanted)
    together = plan(rows, {}, by)
    for key in {r.email_key for r in rows}:
        own = [r for r in rows if r.email_key == key]
        assert plan(own, {}, by) == {r.line: together[r.line] for r in own}
        assert all(a.line < b.line for a, b in pairwise(own))
