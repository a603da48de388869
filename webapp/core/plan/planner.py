"""What confirming would do to each row: rows + who exists -> a step per row. Pure.

The rules are those of docs/rules.md, "Rules for a row".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from webapp.core.plan.registry import Registry, RoleEntry
from webapp.core.plan.suggestions import likely_domain
from webapp.core.security.permissions import beyond, may_grant

MANY_GROUPS = 5
"""So many groups gained at once count as widening somebody's access by much."""


MERGEABLE = ("merge", "Only the groups differ")
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


class Effect(StrEnum):
    """What a step does to somebody who is there, besides giving access."""

    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    RESEND = "resend"
    REVOKE = "revoke"


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


@dataclass(frozen=True, slots=True)
class Issue:
    """What is wrong with a cell. suggestion: a whole new value for it; old and new: the part that differs, to show."""

    field: str
    text: str
    code: str
    suggestion: str | None = None
    old: str = ""
    new: str = ""

    def as_dict(self) -> dict[str, Any]:
        slots = {"field": self.field, "text": self.text, "code": self.code}
        return slots if self.suggestion is None else slots | {"suggestion": self.suggestion, "old": self.old, "new": self.new}


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
    def wish(self) -> tuple[object, ...]:
        return self.role, self.groups, self.everything


@dataclass(frozen=True, slots=True)
class Person:
    """Who has the row's e-mail already. `failed`: a pending invitation whose last e-mail failed for good.

    sent: how often an invitation was sent; again: how often of that within the last hour and not for the first time.
    Both are known only of people who are looked up by their id.
    """

    kind: Literal["user", "invitation"]
    id: int
    access: Access
    state: Literal["active", "deactivated", "pending", "expired", "revoked", "accepted"]
    failed: bool = False
    sent: int = 0
    again: int = 0

    @property
    def is_gone(self) -> bool:
        return self.state in ("expired", "revoked", "accepted")

    @property
    def standing(self) -> str:
        """The state as far as people made it: that an invitation has expired meanwhile is nobody's doing."""
        return "pending" if self.state == "expired" else self.state


@dataclass(frozen=True, slots=True)
class Policy:
    """How a batch is applied and by whom. protected: ids of users whose own role it may not change."""

    registry: Registry
    rank: int
    permissions: frozenset[str] = frozenset()
    """What whoever applies it may do: nobody gives a role that may do more."""
    protected: frozenset[int] = frozenset()
    mode: Mode = Mode.REPLACE
    change_roles: bool = False
    skip_errors: bool = False


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """The plan of one row. before is None for somebody new; after is None where nothing can be planned.

    twin: the line of the row with the same e-mail. notes: (code, text) pairs that are no errors. likely_domain: where
    nobody has the e-mail, the domain that its own probably is a misspelling of; no error either.
    marks: "admin" where it makes somebody an administrator, "wide" where it widens access by much, "lookalike" where it
    invites an address with letters that only look Latin.
    act, was: for a step of an action or a revert: what it does besides giving access, and `Person.standing` before.
    """

    plan: Plan
    subject: Ref | None = None
    before: Access | None = None
    after: Access | None = None
    issues: tuple[Issue, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    marks: tuple[str, ...] = ()
    twin: int | None = None
    act: Effect | None = None
    was: str | None = None
    sent: int | None = None
    """For a step that sends an invitation again: how often it was sent before."""
    likely_domain: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As stored with the row; issues are stored apart."""
        value: dict[str, Any] = {}
        if self.subject:
            value["subject"] = list(self.subject)
        if self.before:
            value["before"] = self.before.as_dict()
        if self.after:
            value["after"] = self.after.as_dict()
        if self.notes:
            value["notes"] = [list(note) for note in self.notes]
        if self.marks:
            value["marks"] = list(self.marks)
        if self.twin is not None:
            value["twin"] = self.twin
        if self.act:
            value["act"] = self.act.value
        if self.was:
            value["was"] = self.was
        if self.sent is not None:
            value["sent"] = self.sent
        if self.likely_domain is not None:
            value["likely_domain"] = self.likely_domain
        return value


def plan(candidates: Iterable[Candidate], people: Mapping[str, Person], policy: Policy) -> dict[int, PlannedChange]:
    """A step for each candidate, by line. people: by e-mail key. Candidates come in the order of their lines."""
    steps: dict[int, PlannedChange] = {}
    newcomers: dict[tuple[object, ...], PlannedChange] = {}
    first: dict[str, Candidate] = {}
    same_email: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        key = candidate.email_key or ""
        if (person := people.get(key)) or candidate.issues:
            step = _plan_single(candidate, person, policy)
        else:  # one step for all whom nobody knows and whose rows say the same
            said = candidate.domain, candidate.looks_alike, *candidate.wish
            step = newcomers.get(said) or newcomers.setdefault(said, _plan_single(candidate, None, policy))
        steps[candidate.line] = step
        skipped = policy.skip_errors and step.plan is Plan.ATTENTION
        if key and not skipped and (leader := first.setdefault(key, candidate)) is not candidate:
            same_email.setdefault(key, [leader]).append(candidate)
    for twins in same_email.values():
        steps.update(_plan_duplicates(twins, steps))
    return steps


def _plan_duplicates(twins: list[Candidate], steps: Mapping[int, PlannedChange]) -> dict[int, PlannedChange]:
    """The first of several rows with one e-mail leads; a later one that says the same is left out, any other conflicts."""
    leader = twins[0]
    changed: dict[int, PlannedChange] = {}

    def block(row: Candidate, other: Candidate) -> None:
        step = _note_duplicate(changed.get(row.line, steps[row.line]), other)
        if _can_merge(row, other) and MERGEABLE not in step.notes:
            step = replace(step, notes=(*step.notes, MERGEABLE))
        changed[row.line] = _block(step, _duplicate_issue(row, other))

    for later in twins[1:]:
        if later.wish != leader.wish or later.issues or leader.issues:
            block(later, leader)
            block(leader, later)
        else:
            step = _note_duplicate(steps[later.line], leader)
            changed[later.line] = replace(step, plan=Plan.DUPLICATE, after=None, marks=(), notes=())
    return changed


def _can_merge(row: Candidate, other: Candidate) -> bool:
    return row.role == other.role and not (row.issues or other.issues)


def _note_duplicate(step: PlannedChange, other: Candidate) -> PlannedChange:
    if step.twin is not None:  # of several, the one that the row's sentence names
        return step
    return replace(step, twin=other.line)


def _duplicate_issue(row: Candidate, other: Candidate) -> Issue:
    differs = not (row.issues or other.issues)
    return Issue("email", f"Same email as row {other.line}{', with another role or groups' if differs else ''}.", "twin")


def _block(step: PlannedChange, issue: Issue) -> PlannedChange:
    known = any(i.code == issue.code for i in step.issues)
    return replace(step, plan=Plan.ATTENTION, marks=(), issues=step.issues if known else (*step.issues, issue))


def _plan_single(row: Candidate, person: Person | None, policy: Policy) -> PlannedChange:
    """The step of a row as if no other row had its e-mail."""
    subject = (person.kind, person.id) if person else None
    before = person.access if person and not person.is_gone else None
    # Who is here, or is expected, has shown that the address is right.
    likely = likely_domain(row.domain, policy.registry.known_domains) if row.domain and before is None else None
    if row.issues or row.role is None:
        return PlannedChange(Plan.ATTENTION, subject, before, issues=row.issues, likely_domain=likely)
    step = _plan_new(row, policy) if person is None or person.is_gone else _plan_existing(row, person, policy)
    return replace(step, subject=subject, likely_domain=likely)


def _attention(before: Access | None, field: str, code: str, text: str) -> PlannedChange:
    return PlannedChange(Plan.ATTENTION, None, before, issues=(Issue(field, text, code),))


def _plan_new(row: Candidate, policy: Policy) -> PlannedChange:
    assert row.role is not None
    if policy.mode is Mode.REMOVE:
        return _attention(None, "email", "nobody", "Nobody to remove from.")
    if refusal := why_not_grantable(row.role, policy):
        return _attention(None, "role", "grant", refusal)
    allowed = policy.registry.allowed_domains
    if allowed and row.domain not in allowed:
        return _attention(None, "email", "domain", "Domain not allowed here.")
    after = Access(row.role, row.groups or frozenset(), row.everything)
    marks = marks_of(None, after, policy)
    return PlannedChange(Plan.INVITE, None, None, after, marks=(*marks, "lookalike") if row.looks_alike else marks)


def _plan_existing(row: Candidate, person: Person, policy: Policy) -> PlannedChange:
    before = person.access
    assert row.role is not None
    if person.state == "deactivated":
        return _attention(before, "email", "deactivated", "This account is deactivated. Reactivate it, or remove the row.")
    is_blank = row.groups is None and not row.everything
    wish = row.groups or frozenset(), row.everything
    found = (before.groups, before.everything) if is_blank else change_groups(before, *wish, policy.mode)
    if isinstance(found, str):
        return _attention(before, "groups", "all_groups", found)
    groups, everything = found
    other_role = row.role != before.role
    follows = person.kind == "invitation" or policy.change_roles
    after = Access(row.role if follows else before.role, groups, everything)
    other_groups = after.groups != before.groups or everything != before.everything
    if refusal := why_forbidden(person, policy, other_role=other_role, other_groups=other_groups):
        return _attention(before, *refusal)
    if other_role and follows and (refused := why_not_grantable(row.role, policy)):
        return _attention(before, "role", "grant", refused)
    notes = []
    if other_role and not follows:
        notes.append(("role_kept", f"File says {policy.registry.role_by_id[row.role].name}"))
    marks = marks_of(before, after, policy)
    if person.failed and after == before and policy.mode is not Mode.REMOVE:
        if refused := why_not_grantable(after.role, policy):
            return _attention(before, "role", "grant", refused)
        notes.append(("again", "Its email failed; it is sent again"))
        return PlannedChange(Plan.INVITE, None, before, after, notes=tuple(notes), marks=marks)
    changed = Plan.UNCHANGED if after == before else Plan.UPDATE
    return PlannedChange(changed, None, before, after, notes=tuple(notes), marks=marks)


def why_forbidden(person: Person, policy: Policy, *, other_role: bool, other_groups: bool) -> tuple[str, str, str] | None:
    """(field, code, sentence) where nobody, or not this person, may change what the row would change."""
    role = policy.registry.role_by_id[person.access.role]
    where = "role" if other_role else "groups"
    if role.is_owner and (other_role or other_groups):
        return where, "owner", "Nobody changes the Owner by upload."
    if person.kind == "user" and person.id in policy.protected and other_role:
        return "role", "own_role", "Who uploads or confirms cannot change their own role."
    if role.rank > policy.rank and (other_role or other_groups):
        return where, "rank", f"You cannot change {_an(role)}: the role ranks above yours."
    return None


def why_not_grantable(role_id: int, policy: Policy) -> str | None:
    """The sentence that says why this role may not be given, or None."""
    role = policy.registry.role_by_id[role_id]
    if role.is_owner:
        return "Owner cannot be assigned."
    if role.rank > policy.rank:
        return f"{role.name} ranks above your own role."
    if not may_grant(policy.rank, policy.permissions, role):
        return f"{role.name} may do what your own role may not: {', '.join(beyond(policy.permissions, role))}."
    return None


def _an(role: RoleEntry) -> str:
    return f"{'an' if role.name[:1].lower() in 'aeiou' else 'a'} {role.name}"


def change_groups(before: Access, groups: frozenset[int], everything: bool, mode: Mode) -> tuple[frozenset[int], bool] | str:
    """(groups, everything) after these are set, added or removed, or the sentence that says why it cannot be done."""
    nothing: frozenset[int] = frozenset()
    if everything:
        return (nothing, False) if mode is Mode.REMOVE else (nothing, True)
    if mode is Mode.REPLACE:
        return groups, False
    if mode is Mode.ADD:
        return (before.groups, True) if before.everything else (before.groups | groups, False)
    if before.everything and groups:
        return "Has All groups: single groups cannot be taken from that."
    return before.groups - groups, before.everything


def marks_of(before: Access | None, after: Access, policy: Policy) -> tuple[str, ...]:
    """What deserves a second look: `Step.marks`."""
    manages = {role.id for role in policy.registry.roles if role.manages_people}
    marks = []
    if after.role in manages and not (before and before.role in manages):
        marks.append("admin")
    had = before.groups if before else frozenset()
    gains_everything = after.everything and not (before and before.everything)
    if gains_everything or len(after.groups - had) >= MANY_GROUPS:
        marks.append("wide")
    return tuple(marks)
