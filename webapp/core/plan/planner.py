"""What confirming would do to each row of a file. Pure: rows and the people who exist already -> a planned change per row.

The rules are those of docs/rules.md, "Rules for a row".
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from webapp.core.plan.registry import ALL_GROUPS, Registry
from webapp.core.plan.suggestions import likely_domain
from webapp.core.security.permissions import may_grant

MANY_GROUPS = 5
"""So many groups gained at once widen somebody's access by much."""
MERGEABLE = {"code": "merge"}
"""Note of a row whose groups, and nothing else, differ from those of another row with the same e-mail."""

Ref = tuple[str, int]
"""A person by kind ("user" or "invitation") and id."""


class Mode(StrEnum):
    """What the file's groups do to those of people who exist."""

    REPLACE = "replace"
    ADD = "add"
    REMOVE = "remove"


class Plan(StrEnum):
    """What confirming would do to a row; docs/rules.md, "Words"."""

    INVITE = "invite"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    ATTENTION = "attention"


@dataclass(frozen=True, slots=True)
class Access:
    """A role and a set of groups, by id; or everything."""

    role: int
    groups: frozenset[int] = frozenset()
    everything: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"role": self.role, "groups": sorted(self.groups), "everything": self.everything}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Access:
        return cls(value["role"], frozenset(value["groups"]), value["everything"])

    def group_names(self, registry: Registry) -> list[str]:
        """The groups by name, "All groups" as one of them; groups that are gone are left out."""
        if self.everything:
            return [ALL_GROUPS]
        return sorted(group.name for group in registry.groups if group.id in self.groups)


@dataclass(frozen=True, slots=True)
class Issue:
    """What is wrong with a cell, as a code with parameters; `core.text.row_phrases` words it.

    suggestion: a whole new value for the cell; old and new: the part that differs, to show.
    """

    field: str
    code: str
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    suggestion: str | None = None
    old: str = ""
    new: str = ""

    def as_dict(self) -> dict[str, Any]:
        value = {"field": self.field, "code": self.code, **self.params}
        if self.suggestion is not None:
            value |= {"suggestion": self.suggestion, "old": self.old, "new": self.new}
        return value


class Candidate(NamedTuple):
    """A row that still acts. `issues` are the schema's; with any, the row is broken and only its e-mail key counts."""

    line: int
    email_key: str | None
    domain: str = ""
    role: int | None = None
    groups: frozenset[int] | None = None
    """None: the cell is blank, which never means everything."""
    everything: bool = False
    issues: tuple[Issue, ...] = ()
    looks_alike: bool = False
    """Whether the address has letters that only look Latin."""

    @property
    def requested(self) -> tuple[object, ...]:
        return self.role, self.groups, self.everything


@dataclass(frozen=True, slots=True)
class Person:
    """The existing user or invitation with the row's e-mail. `failed`: its last e-mail failed for good.

    sent: how often an invitation was sent; sent_this_hour: how often again within the last hour.
    """

    kind: Literal["user", "invitation"]
    id: int
    access: Access
    state: Literal["active", "deactivated", "pending", "expired", "revoked", "accepted"]
    failed: bool = False
    sent: int = 0
    sent_this_hour: int = 0

    @property
    def is_gone(self) -> bool:
        return self.state in ("expired", "revoked", "accepted")

    @property
    def lasting_state(self) -> str:
        """The state set by people: an expired invitation still counts as pending."""
        return "pending" if self.state == "expired" else self.state


@dataclass(frozen=True, slots=True)
class Policy:
    """How a batch is applied and by whom. protected: ids of users whose own role it may not change."""

    registry: Registry
    rank: int
    permissions: frozenset[str] = frozenset()
    protected: frozenset[int] = frozenset()
    mode: Mode = Mode.REPLACE
    change_roles: bool = False
    skip_errors: bool = False


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """The plan of one row. before is None for a new person; after is None if nothing can be planned.

    notes: codes with parameters that are no errors.
    marks: "admin" where it makes somebody an administrator, "wide" where it widens access by much, "lookalike" where it
    invites an address with letters that only look Latin.
    """

    plan: Plan
    subject: Ref | None = None
    before: Access | None = None
    after: Access | None = None
    issues: tuple[Issue, ...] = ()
    notes: tuple[Mapping[str, Any], ...] = ()
    marks: tuple[str, ...] = ()
    twin: int | None = None
    """The line of the other row with the same e-mail."""
    effect: str | None = None
    """Of an action or a revert: the `actions.Do` that is done in addition to a change of access."""
    was: str | None = None
    """Of an action or a revert: `Person.lasting_state` when it was planned."""
    sent: int | None = None
    """For a change that sends an invitation again: how often it was sent before."""
    likely_domain: str | None = None
    """Where nobody has the e-mail: the domain that its own probably is a misspelling of. No error."""

    def as_dict(self) -> dict[str, Any]:
        """As stored with the row; its plan and its issues are stored separately."""
        value: dict[str, Any] = {}
        for name in _STORED:
            each = getattr(self, name)
            if isinstance(each, Access):
                value[name] = each.as_dict()
            elif isinstance(each, tuple) and each:
                value[name] = list(each)
            elif each or each == 0:
                value[name] = each
        return value

    @classmethod
    def from_dict(cls, plan: Plan, stored: Mapping[str, Any]) -> PlannedChange:
        """The change as it was stored, without its issues."""
        value = dict(stored)
        for name in ("before", "after"):
            if name in value:
                value[name] = Access.from_dict(value[name])
        for name in ("subject", "notes", "marks"):
            if name in value:
                value[name] = tuple(value[name])
        return cls(plan, **value)


_STORED = [field.name for field in dataclasses.fields(PlannedChange)[1:] if field.name != "issues"]


def refuse(code: str, field: str = "email", **params: Any) -> PlannedChange:
    """A change that is not made, and why."""
    return PlannedChange(Plan.ATTENTION, issues=(Issue(field, code, params),))


def plan(
    candidates: Iterable[Candidate], people: Mapping[str, Person], policy: Policy
) -> dict[int, PlannedChange]:
    """Plan each row, by line. people: by e-mail key. Candidates come in the order of their lines."""
    planned: dict[int, PlannedChange] = {}
    by_email: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        key = candidate.email_key or ""
        change = _plan_single(candidate, people.get(key), policy)
        planned[candidate.line] = change
        is_skipped = policy.skip_errors and change.plan is Plan.ATTENTION
        if key and not is_skipped:
            by_email[key].append(candidate)
    for same_email in by_email.values():
        if len(same_email) > 1:
            _plan_duplicates(same_email, planned)
    return planned


def _plan_duplicates(rows: list[Candidate], planned: dict[int, PlannedChange]) -> None:
    """Change the plans of rows with one e-mail: later rows that say the same as the first are left out, others conflict."""
    leader = rows[0]
    for later in rows[1:]:
        if later.requested != leader.requested or later.issues or leader.issues:
            planned[later.line] = _block(planned[later.line], later, leader)
            planned[leader.line] = _block(planned[leader.line], leader, later)
        else:
            change = planned[later.line]
            planned[later.line] = replace(
                change, plan=Plan.DUPLICATE, twin=leader.line, after=None, marks=(), notes=()
            )


def _block(change: PlannedChange, row: Candidate, other: Candidate) -> PlannedChange:
    """Note the conflict with another row of the same e-mail. Of several others, the first one is named."""
    if change.twin is not None:
        return change
    is_broken = bool(row.issues or other.issues)
    code = "duplicate" if is_broken else "duplicate_differs"
    notes = change.notes
    if row.role == other.role and not is_broken:
        notes = (*notes, MERGEABLE)
    return replace(
        change,
        plan=Plan.ATTENTION,
        marks=(),
        issues=(*change.issues, Issue("email", code, {"row": other.line})),
        notes=notes,
        twin=other.line,
    )


def _plan_single(row: Candidate, person: Person | None, policy: Policy) -> PlannedChange:
    """Plan a row as if no other row had its e-mail."""
    subject = (person.kind, person.id) if person else None
    before = person.access if person and not person.is_gone else None
    likely = None
    if row.domain and before is None:
        likely = likely_domain(row.domain, policy.registry.known_domains)
    if row.issues or row.role is None:
        change = PlannedChange(Plan.ATTENTION, issues=row.issues)
    elif person is None or person.is_gone:
        change = _plan_new(row, row.role, policy)
    else:
        change = _plan_existing(row, row.role, person, policy)
    if subject or likely:
        change = replace(change, subject=subject, before=before, likely_domain=likely)
    return change


def _plan_new(row: Candidate, role: int, policy: Policy) -> PlannedChange:
    """Plan an invitation for a person without an account or an open invitation."""
    if policy.mode is Mode.REMOVE:
        return refuse("nobody_to_remove_from")
    if refusal := refuse_role(role, policy):
        return refusal
    allowed = policy.registry.allowed_domains
    if allowed and row.domain not in allowed:
        return refuse("domain_not_allowed")
    after = Access(role, row.groups or frozenset(), row.everything)
    marks = marks_of(None, after, policy)
    if row.looks_alike:
        marks = (*marks, "lookalike")
    return PlannedChange(Plan.INVITE, after=after, marks=marks)


def _plan_existing(row: Candidate, role: int, person: Person, policy: Policy) -> PlannedChange:
    """Change the access of a user or of a pending invitation."""
    if person.state == "deactivated":
        return refuse("deactivated")
    follows_file = person.kind == "invitation" or policy.change_roles
    after = replace(person.access, role=role) if follows_file else person.access
    is_blank = row.groups is None and not row.everything
    if not is_blank:
        changed = change_groups(after, row.groups or frozenset(), row.everything, policy.mode)
        if isinstance(changed, PlannedChange):
            return changed
        after = changed
    change = plan_access(person, after, policy, requested_role=role)
    if change.plan is Plan.ATTENTION:
        return change
    notes = []
    if role != after.role:
        notes.append({"code": "role_kept", "role": policy.registry.role_by_id[role].name})
    if person.failed and change.plan is Plan.UNCHANGED and policy.mode is not Mode.REMOVE:
        if refusal := refuse_role(after.role, policy):
            return refusal
        change = replace(change, plan=Plan.INVITE)
        notes.append({"code": "again"})
    return replace(change, notes=tuple(notes))


def plan_access(
    person: Person, after: Access, policy: Policy, requested_role: int | None = None
) -> PlannedChange:
    """Plan this access for a person, or explain why it is not allowed. requested_role: by the file, which may not be followed."""
    before = person.access
    field = "groups" if (requested_role or after.role) == before.role else "role"
    if field == "groups" and after == before:
        return PlannedChange(Plan.UNCHANGED, after=after)
    refusal = refuse_person(person, policy, field)
    if refusal is None and after.role != before.role:
        refusal = refuse_role(after.role, policy)
    if refusal:
        return refusal
    kind = Plan.UNCHANGED if after == before else Plan.UPDATE
    return PlannedChange(kind, after=after, marks=marks_of(before, after, policy))


def refuse_person(person: Person, policy: Policy, field: str) -> PlannedChange | None:
    """Refuse to change this person where the current user may not. field: "role" where it would be another one."""
    role = policy.registry.role_by_id[person.access.role]
    if role.is_owner:
        return refuse("owner", field)
    if field == "role" and person.kind == "user" and person.id in policy.protected:
        return refuse("own_role", field)
    if role.rank > policy.rank:
        return refuse("rank", field, role=role.name)
    return None


def refuse_role(role_id: int, policy: Policy) -> PlannedChange | None:
    """Refuse to give this role where the current user may not."""
    role = policy.registry.role_by_id[role_id]
    if role.is_owner:
        return refuse("grant_owner", "role")
    if role.rank > policy.rank:
        return refuse("grant_rank", "role", role=role.name)
    if not may_grant(policy.rank, policy.permissions, role):
        more = sorted(role.permissions - policy.permissions)
        return refuse("grant_more", "role", role=role.name, permissions=more)
    return None


def change_groups(
    before: Access, groups: frozenset[int], everything: bool, mode: Mode
) -> Access | PlannedChange:
    """The access after these groups are set, added or removed; or why that cannot be done."""
    if everything:
        return Access(before.role, everything=mode is not Mode.REMOVE)
    if mode is Mode.REPLACE:
        return Access(before.role, groups)
    if before.everything:
        if mode is Mode.REMOVE and groups:
            return refuse("all_groups_kept", "groups")
        return before
    if mode is Mode.ADD:
        return replace(before, groups=before.groups | groups)
    return replace(before, groups=before.groups - groups)


def marks_of(before: Access | None, after: Access, policy: Policy) -> tuple[str, ...]:
    """What deserves a second look: `PlannedChange.marks`."""
    by_id = policy.registry.role_by_id
    had = before or Access(0)
    role_before = by_id.get(had.role)
    marks = []
    if by_id[after.role].manages_people and not (role_before and role_before.manages_people):
        marks.append("admin")
    gains_everything = after.everything and not had.everything
    if gains_everything or len(after.groups - had.groups) >= MANY_GROUPS:
        marks.append("wide")
    return tuple(marks)
