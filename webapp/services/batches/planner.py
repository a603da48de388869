"""Plans stored rows: applies the schema and the planner to the rows of a batch, and counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import load_only
from sqlalchemy.orm.attributes import set_committed_value

from webapp.core.plan.planner import Candidate, PlannedChange, Policy, plan
from webapp.core.plan.registry import Registry
from webapp.core.text.lookalikes import look_alike
from webapp.db import db
from webapp.models import Batch, BatchKind, Row, User
from webapp.schemas.rows import FIELDS, RowSchema
from webapp.services.batches import people_rows
from webapp.services.directory import lookup

_WRITTEN = (
    "email",
    "role",
    "groups",
    "removed_at",
    "email_key",
    "issues",
    "email_wrong",
    "role_wrong",
    "groups_wrong",
    "plan",
    "change_dict",
    "likely_domain",
)
"""The columns of `Row` that a step may change."""

Values = Mapping[str, Any]
"""Columns of `Row`. A plan of a row is the columns that follow from it."""


def make_policy(batch: Batch, by: User, registry: Registry) -> Policy:
    """How this batch is applied when `by` confirms it."""
    return lookup.policy(
        by,
        registry,
        protected=frozenset({by.id, batch.uploaded_by_id}),
        mode=batch.mode,
        change_roles=batch.change_roles,
        skip_errors=batch.skip_errors,
    )


def plan_rows(rows: Iterable[tuple[int, str, str, str]], policy: Policy) -> dict[int, Values]:
    """Plan rows (line, email, role, groups), given in the order of lines. By line; five queries for any number."""
    schema = RowSchema(policy.registry)
    candidates = [_check_row(schema, *row) for row in rows]
    people = lookup.people({row.email_key for row in candidates if row.email_key})
    steps = plan(candidates, people, policy)
    return {row.line: _column_values(row.email_key, steps[row.line]) for row in candidates}


def _check_row(schema: RowSchema, line: int, email: str, role: str, groups: str) -> Candidate:
    """Check one row by the schema. A row in error keeps its e-mail key, so that its duplicates are found."""
    address, wrong_email = schema.cell("email", email)
    entry, wrong_role = schema.cell("role", role)
    access, wrong_groups = schema.cell("groups", groups)
    issues = (*wrong_email, *wrong_role, *wrong_groups)
    key, domain = (address.key, address.domain) if address else (None, "")
    if issues:
        return Candidate(line, key, domain, issues=issues)
    return Candidate(
        line,
        key,
        domain,
        replace(access, role=entry.id),
        looks_alike=look_alike(address.display, schema.registry.known_domains) is not None,
    )


def _column_values(email_key: str | None, step: PlannedChange) -> dict[str, Any]:
    """A planned change as columns of `Row`."""
    wrong = {issue["field"] for issue in step.issues}
    return {
        "email_key": email_key,
        "issues": list(step.issues),
        **{f"{field}_wrong": field in wrong for field in FIELDS},
        "likely_domain": step.likely_domain,
        "plan": step.plan,
        "change_dict": step.as_dict(),
    }


def select_rows(batch: Batch) -> Select[Row]:
    """Select the rows that were not removed."""
    return select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))


def load(query: Select[Row]) -> list[Row]:
    """Load rows in the file's order, with the columns that planning needs."""
    return list(db.session.scalars(query.options(_PLANNED).order_by(Row.line)))


_PLANNED = load_only(*(getattr(Row, name) for name in ("batch_id", "line", *_WRITTEN)))


def plan_stored_rows(
    batch: Batch, rows: Sequence[Row], by: User | None = None
) -> dict[int, Values]:
    """Plan stored rows for `by`, or for the person whose plans are stored. Returns plans by line.

    All rows with the same e-mail must be among them.
    """
    policy = make_policy(batch, by or batch.planned_for, lookup.registry())
    if batch.kind is BatchKind.UPLOAD:
        return plan_rows(((row.line, row.email, row.role, row.groups) for row in rows), policy)
    steps = people_rows.plan_people(batch, rows, policy)
    planned: dict[int, Values] = {}
    for row in rows:
        step = steps[row.line]
        cells = people_rows.cells(step, policy.registry)
        planned[row.line] = _column_values(row.email_key, step) | cells
    return planned


def find_changed(rows: Sequence[Row], plans: Mapping[int, Values]) -> list[Row]:
    """The rows whose stored plan differs from the new one."""
    return [
        row
        for row in rows
        if any(getattr(row, name) != value for name, value in plans[row.line].items())
    ]


def set_plan(row: Row, plan: Values) -> None:
    """Put a new plan into a row as loaded. The session keeps no record of it, which saves most of the time."""
    for name, value in plan.items():
        set_committed_value(row, name, value)


def row_values(row: Row) -> dict[str, Any]:
    """A row as `write_rows` takes it."""
    return {"row_id": row.id} | {name: getattr(row, name) for name in _WRITTEN}


def write_rows(rows: Sequence[Values]) -> None:
    """Write what steps and plans may change of these rows, in one statement. Does not commit."""
    if rows:
        db.session.connection().execute(_WRITE, rows)


_WRITE = (
    update(Row)
    .where(Row.id == bindparam("row_id"))
    .values({name: bindparam(name) for name in _WRITTEN})
)


def count_rows(rows: Iterable[Values]) -> Counter[str]:
    """Count rows by plan, by mark, by column with a problem, and "misspelt" where the domain probably is."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["plan"].value] += 1
        for mark in row["change_dict"].get("marks", ()):
            counts[mark] += 1
        for field in FIELDS:
            if row[f"{field}_wrong"]:
                counts[f"problem:{field}"] += 1
        if row["likely_domain"]:
            counts["misspelt"] += 1
    return counts
