"""Plans stored rows: applies the schema and the planner to the rows of a batch, and keeps its counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

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
    "email", "role", "groups", "removed_at", "email_key", "issues", "email_wrong", "role_wrong", "groups_wrong", "plan",
    "change_dict", "likely_domain",
)  # fmt: skip
"""The columns of `Row` that a step may change."""


class Judgement(NamedTuple):
    """The plan of one row. values: the columns of `Row` that follow from it."""

    email_key: str | None
    change: PlannedChange
    values: Mapping[str, Any]


def column_values(step: PlannedChange) -> dict[str, Any]:
    """A planned change as columns of `Row`."""
    wrong = {issue.field for issue in step.issues}
    return {
        "issues": [issue.as_dict() for issue in step.issues],
        **{f"{field}_wrong": field in wrong for field in FIELDS},
        "likely_domain": step.likely_domain,
        "plan": step.plan,
        "change_dict": step.as_dict(),
    }


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


def plan_rows(rows: Iterable[tuple[int, str, str, str]], policy: Policy) -> dict[int, Judgement]:
    """Plan rows (line, email, role, groups), given in the order of lines. By line; five queries for any number."""
    schema = RowSchema(policy.registry)
    candidates = [make_candidate(schema, *row) for row in rows]
    steps = plan(candidates, lookup.people(email_keys(candidates)), policy)
    return {row.line: _judgement(row.email_key, steps[row.line]) for row in candidates}


def email_keys(candidates: Iterable[Candidate]) -> set[str]:
    """The e-mail keys of these rows."""
    return {row.email_key for row in candidates if row.email_key}


def _judgement(email_key: str | None, step: PlannedChange, **cells: str) -> Judgement:
    return Judgement(email_key, step, {"email_key": email_key, **column_values(step), **cells})


def make_candidate(schema: RowSchema, line: int, email: str, role: str, groups: str) -> Candidate:
    """Check one row by the schema. A row in error keeps its e-mail key, so that its duplicates are found."""
    address, wrong_email = schema.cell("email", email)
    entry, wrong_role = schema.cell("role", role)
    wish, wrong_groups = schema.cell("groups", groups)
    return Candidate(
        line,
        address.key if address else None,
        address.domain if address else "",
        entry.id if entry else None,
        wish.groups if wish else None,
        wish.everything if wish else False,
        (*wrong_email, *wrong_role, *wrong_groups),
        address is not None
        and look_alike(address.display, schema.registry.known_domains) is not None,
    )


def select_rows(batch: Batch) -> Select[Row]:
    """Select the rows that were not removed."""
    return select(Row).where(Row.batch_id == batch.id, Row.removed_at.is_(None))


def load(query: Select[Row]) -> list[Row]:
    """Load rows in the file's order, with the columns that planning needs."""
    return list(db.session.scalars(query.options(_PLANNED).order_by(Row.line)))


_PLANNED = load_only(*(getattr(Row, name) for name in ("batch_id", "line", *_WRITTEN)))


def plan_stored_rows(
    batch: Batch, rows: Sequence[Row], by: User | None = None
) -> dict[int, Judgement]:
    """Plan stored rows for `by`, or for the person whose plans are stored. Returns plans by line.

    All rows with the same e-mail must be among them.
    """
    policy = make_policy(batch, by or batch.planned_for, lookup.registry(batch.uploaded_by))
    if batch.kind is not BatchKind.UPLOAD:
        return _plan_people(batch, rows, policy)
    return plan_rows(((row.line, row.email, row.role, row.groups) for row in rows), policy)


def _plan_people(batch: Batch, rows: Sequence[Row], policy: Policy) -> dict[int, Judgement]:
    """Plan the rows of an action or a revert."""
    keys = {row.line: row.email_key for row in rows}
    plans = people_rows.plan_people(batch, rows, policy)
    return {
        line: _judgement(keys[line], step, **people_rows.cells(step, policy.registry))
        for line, step in plans.items()
    }


def find_changed(rows: Sequence[Row], judgements: Mapping[int, Judgement]) -> list[Row]:
    """The rows whose stored plan differs from the new one."""
    return [
        row
        for row in rows
        if any(getattr(row, k) != v for k, v in judgements[row.line].values.items())
    ]


def put_plans(
    counts: Counter[str], rows: Sequence[Row], judgements: Mapping[int, Judgement]
) -> None:
    """Put new plans into these rows as loaded, and into the counts. Nothing is written."""
    add_to_counts(counts, map(count_keys, rows), -1)
    for row in rows:
        set_plan(row, judgements[row.line])
    add_to_counts(counts, map(count_keys, rows), +1)


def set_plan(row: Row, judgement: Judgement) -> None:
    """Put a new plan into a row as loaded. The session keeps no record of it, which saves most of the time."""
    for name, value in judgement.values.items():
        set_committed_value(row, name, value)


def row_values(row: Row) -> dict[str, Any]:
    """A row as `write_rows` takes it."""
    return {"row_id": row.id} | {name: getattr(row, name) for name in _WRITTEN}


def write_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what steps and plans may change of these rows, in one statement. Does not commit."""
    if rows:
        db.session.connection().execute(_WRITE, rows)


_WRITE = (
    update(Row)
    .where(Row.id == bindparam("row_id"))
    .values({name: bindparam(name) for name in _WRITTEN})
)


Counted = tuple[str, Mapping[str, Any], Sequence[Mapping[str, Any]]]
"""What the counts see of a row: its plan, its change and its issues as dictionaries."""


def count_keys(row: Row) -> Counted:
    """What the counts see of a row."""
    return row.plan, row.change_dict, row.issues


def add_to_counts(counts: Counter[str], rows: Iterable[Counted], by: int) -> None:
    """Add these rows to counts, or with by=-1 take them off: by plan, by mark, by column with a problem, and "misspelt" where
    the domain probably is."""
    for planned, step, issues in rows:
        counts[str(planned)] += by
        for mark in step.get("marks", ()):
            counts[mark] += by
        for field in {issue["field"] for issue in issues}:
            counts[f"problem:{field}"] += by
        if "likely_domain" in step:
            counts["misspelt"] += by


def update_counts(batch: Batch, rows: Iterable[Counted], by: int) -> None:
    """Add these rows to the counts of a batch, or take them off. Does not commit."""
    counts = Counter(batch.counts)
    add_to_counts(counts, rows, by)
    batch.counts = {key: n for key, n in counts.items() if n}
