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
"""So many groups gained at once are wide access."""
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
    """A role and a set of groups, by id; or everything. role: 0 where only groups are meant."""

    role: int = 0
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


Issue = Mapping[str, Any]
"""What is wrong with a cell: its "field" and a "code", with parameters; `core.text.row_phrases` words it.

"suggestion": a whole new value for the cell; "old" and "new": the part that differs, to show.
"""


class Candidate(NamedTuple):
    """A row that still acts. `issues` are the schema's; with any, the row is broken and only its e-mail key counts."""

    line: int
    email_key: str | None
    domain: str = ""
    wanted: Access | None = None
    """No groups: the cell is blank, which never means everything. None: the row is broken."""
    issues: tuple[Issue, ...] = ()
    looks_alike: bool = False
    """Whether the address has letters that only look Latin."""


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
    marks: "admin" where it makes somebody an administrator, "everything" where it gives All groups, "many" where many groups at
    once, and "wide" with any of these; "lookalike" where it invites an address with letters that only look Latin.
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


class RefusedError(Exception):
    """A change that is not made, and why."""

    def __init__(self, code: str, field: str = "email", **params: Any) -> None:
        self.issue: Issue = {"field": field, "code": code, **params}


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
    """Change the plans of rows with one e-mail: where all say the same, the first one acts; else all need attention."""
    first, second, *_ = rows
    roles = {row.wanted.role for row in rows if row.wanted}
    is_broken = any(row.wanted is None for row in rows)
    if not is_broken and all(row.wanted == first.wanted for row in rows):
        for row in rows[1:]:
            planned[row.line] = replace(
                planned[row.line],
                plan=Plan.DUPLICATE,
                twin=first.line,
                after=None,
                marks=(),
                notes=(),
            )
        return
    is_mergeable = not is_broken and len(roles) == 1
    code = "duplicate" if is_broken else "duplicate_differs"
    for row in rows:
        twin = second.line if row is first else first.line
        change = planned[row.line]
        planned[row.line] = replace(
            change,
            plan=Plan.ATTENTION,
            marks=(),
            issues=(*change.issues, {"field": "email", "code": code, "row": twin}),
            notes=(*change.notes, MERGEABLE) if is_mergeable else change.notes,
            twin=twin,
        )


def _plan_single(row: Candidate, person: Person | None, policy: Policy) -> PlannedChange:
    """Plan a row as if no other row had its e-mail."""
    subject = (person.kind, person.id) if person else None
    present = person if person and not person.is_gone else None
    before = present.access if present else None
    likely = None
    if row.domain and present is None:
        likely = likely_domain(row.domain, policy.registry.known_domains)
    change = PlannedChange(Plan.ATTENTION, issues=row.issues)
    if row.wanted:
        try:
            change = (
                _plan_existing(row.wanted, present, policy)
                if present
                else _plan_new(row, row.wanted, policy)
            )
        except RefusedError as refusal:
            change = replace(change, issues=(refusal.issue,))
    if subject or likely:
        change = replace(change, subject=subject, before=before, likely_domain=likely)
    return change


def _plan_new(row: Candidate, wanted: Access, policy: Policy) -> PlannedChange:
    """Plan an invitation for a person without an account or an open invitation."""
    if policy.mode is Mode.REMOVE:
        raise RefusedError("nobody_to_remove_from")
    check_grant(wanted.role, policy)
    allowed = policy.registry.allowed_domains
    if allowed and row.domain not in allowed:
        raise RefusedError("domain_not_allowed")
    marks = marks_of(Access(), wanted, policy)
    if row.looks_alike:
        marks = (*marks, "lookalike")
    return PlannedChange(Plan.INVITE, after=wanted, marks=marks)


def _plan_existing(wanted: Access, person: Person, policy: Policy) -> PlannedChange:
    """Change the access of a user or of a pending invitation."""
    if person.state == "deactivated":
        raise RefusedError("deactivated")
    follows_file = person.kind == "invitation" or policy.change_roles
    after = person.access
    if follows_file:
        after = replace(after, role=wanted.role)
    if wanted.groups or wanted.everything:
        after = change_groups(after, wanted, policy.mode)
    change = plan_access(person, after, policy, requested_role=wanted.role)
    notes = []
    if wanted.role != after.role:
        role = policy.registry.role_by_id[wanted.role]
        notes.append({"code": "role_kept", "role": role.name})
    if person.failed and change.plan is Plan.UNCHANGED and policy.mode is not Mode.REMOVE:
        check_grant(after.role, policy)
        change = replace(change, plan=Plan.INVITE)
        notes.append({"code": "again"})
    return replace(change, notes=tuple(notes))


def plan_access(
    person: Person, after: Access, policy: Policy, requested_role: int | None = None
) -> PlannedChange:
    """Plan this access for a person. Raises RefusedError. requested_role: by the file, which may not be followed."""
    before = person.access
    field = "groups" if (requested_role or after.role) == before.role else "role"
    if field == "groups" and after == before:
        return PlannedChange(Plan.UNCHANGED, after=after)
    check_person(person, policy, field)
    if after.role != before.role:
        check_grant(after.role, policy)
    kind = Plan.UNCHANGED if after == before else Plan.UPDATE
    return PlannedChange(kind, after=after, marks=marks_of(before, after, policy))


def check_person(person: Person, policy: Policy, field: str) -> None:
    """Raise RefusedError where the current user may not change this person. field: "role" where it would be another one."""
    role = policy.registry.role_by_id[person.access.role]
    if role.is_owner:
        raise RefusedError("owner", field)
    if field == "role" and person.kind == "user" and person.id in policy.protected:
        raise RefusedError("own_role", field)
    if role.rank > policy.rank:
        raise RefusedError("rank", field, role=role.name)


def check_grant(role_id: int, policy: Policy) -> None:
    """Raise RefusedError where the current user may not give this role."""
    role = policy.registry.role_by_id[role_id]
    if role.is_owner:
        raise RefusedError("grant_owner", "role")
    if not may_grant(policy.rank, policy.permissions, role):
        raise RefusedError("grant_more", "role", role=role.name)


def change_groups(before: Access, wanted: Access, mode: Mode) -> Access:
    """The access after these groups are set, added or removed. Raises RefusedError."""
    if wanted.everything:
        return Access(before.role, everything=mode is not Mode.REMOVE)
    if mode is Mode.REPLACE:
        return Access(before.role, wanted.groups)
    if before.everything:
        if mode is Mode.REMOVE and wanted.groups:
            raise RefusedError("all_groups_kept", "groups")
        return before
    if mode is Mode.ADD:
        return replace(before, groups=before.groups | wanted.groups)
    return replace(before, groups=before.groups - wanted.groups)


def marks_of(before: Access, after: Access, policy: Policy) -> tuple[str, ...]:
    """What deserves a second look: `PlannedChange.marks`."""
    by_id = policy.registry.role_by_id
    role_before = by_id.get(before.role)
    marks = []
    if by_id[after.role].manages_people and not (role_before and role_before.manages_people):
        marks.append("admin")
    if after.everything and not before.everything:
        marks.append("everything")
    if len(after.groups - before.groups) >= MANY_GROUPS:
        marks.append("many")
    return (*marks, "wide") if marks else ()
