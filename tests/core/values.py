"""Values that tests of the core share: a small registry with people and policies, and what a whole table is."""

from __future__ import annotations

from webapp.core.plan.planner import Access, Mode, Person, Policy
from webapp.core.plan.registry import GroupEntry, Registry, RoleEntry

OWNER, ADMIN, ANALYST, REMOTE = 1, 2, 3, 4

A, B, C = 11, 12, 13

MANAGES = frozenset({"users:manage"})

REGISTRY = Registry(
    [
        RoleEntry(OWNER, "Owner", 100, permissions=MANAGES),
        RoleEntry(ADMIN, "Admin", 80, permissions=MANAGES),
        RoleEntry(ANALYST, "Analyst", 50),
        RoleEntry(REMOTE, "Remote", 10),
    ],
    [GroupEntry(A, "Alpha"), GroupEntry(B, "Beta"), GroupEntry(C, "Gamma")],
)


def user(role=ANALYST, groups=(), everything=False, state="active", id=7):
    """Make a user as the planner knows one."""
    return Person("user", id, Access(role, frozenset(groups), everything), state)


def invited(role=ANALYST, groups=(), state="pending", failed=False, id=9):
    """Make an invitation as the planner knows one."""
    return Person("invitation", id, Access(role, frozenset(groups)), state, failed)


def policy(mode=Mode.REPLACE, rank=80, **others):
    """Make the policy of the person who confirms."""
    return Policy(REGISTRY, rank, mode=mode, **{"permissions": MANAGES, **others})


def is_whole(table) -> bool:
    """Whether no line is blank, and each has a cell for every column that has a name."""
    named = max(place for place, name in enumerate(table.header, start=1) if name)
    return bool(table.lines) and all(len(line.cells) >= named and any(line.cells) for line in table.lines)
