"""Plans stored rows: applies the schema and the planner to the rows of a batch, and counts them.

Stored plans are made for one person, `Batch.planned_for`: who uploaded the batch, or who was last asked to look again.
docs/decisions/0007.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.orm import load_only
from sqlalchemy.orm.attributes import set_committed_value

from webapp.core.files.extract import Cells
from webapp.core.plan.planner import Candidate, Plan, PlannedChange, Policy, plan
from webapp.core.plan.registry import Registry
from webapp.core.text.lookalikes import look_alike
from webapp.db import begin_write, db
from webapp.models import Batch, BatchKind, BatchState, Row, User
from webapp.schemas.rows import FIELDS, RowSchema
from webapp.services.batches import people_rows, review
from webapp.services.directory import lookup

_WRITTEN = (
    "email",
    "name",
    "role",
    "groups",
    "removed_at",
    "email_key",
    "issues",
    "email_wrong",
    "name_wrong",
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


def plan_rows(rows: Iterable[Cells | Row], policy: Policy) -> dict[int, Values]:
    """Plan rows, given in the order of lines. By line; five queries for any number."""
    schema = RowSchema(policy.registry)
    candidates = [_check_row(schema, row) for row in rows]
    people = lookup.people({row.email_key for row in candidates if row.email_key})
    steps = plan(candidates, people, policy)
    return {row.line: _column_values(row.email_key, steps[row.line]) for row in candidates}


def _check_row(schema: RowSchema, row: Cells | Row) -> Candidate:
    """Check one row by the schema. A row in error keeps its e-mail key, so that its duplicates are found."""
    address, wrong_email = schema.cell("email", row.email)
    _, wrong_name = schema.cell("name", row.name)
    entry, wrong_role = schema.cell("role", row.role)
    access, wrong_groups = schema.cell("groups", row.groups)
    issues = (*wrong_email, *wrong_name, *wrong_role, *wrong_groups)
    key, domain = (address.key, address.domain) if address else (None, "")
    if issues:
        return Candidate(row.line, key, domain, issues=issues)
    return Candidate(
        row.line,
        key,
        domain,
        replace(access, role=entry.id),
        looks_alike=look_alike(address.display, schema.registry.known_domains) is not None,
    )


def _column_values(email_key: str | None, step: PlannedChange) -> dict[str, Any]:
    """A planned change as columns of `Row`."""
    wrong = {f"{issue['field']}_wrong": True for issue in step.issues}
    return {
        "email_key": email_key,
        "issues": list(step.issues),
        **_ALL_RIGHT,
        **wrong,
        "likely_domain": step.likely_domain,
        "plan": step.plan,
        "change_dict": step.as_dict(),
    }


_ALL_RIGHT = {f"{field}_wrong": False for field in FIELDS}


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
        return plan_rows(rows, policy)
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
    """Count rows by plan, by mark, by column with a problem, and "misspelt" where the domain probably is.

    "existing": people who are here already. "differing": users who have another role than the file says.
    """
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["plan"].value] += 1
        change = row["change_dict"]
        for mark in change.get("marks", ()):
            counts[mark] += 1
        is_by_file = "before" in change and "was" not in change
        if is_by_file and row["plan"] is not Plan.DUPLICATE:
            counts["existing"] += 1
            if _differs_in_role(change):
                counts["differing"] += 1
        for field in FIELDS:
            if row[f"{field}_wrong"]:
                counts[f"problem:{field}"] += 1
        if row["likely_domain"]:
            counts["misspelt"] += 1
    return counts


def _differs_in_role(change: Mapping[str, Any]) -> bool:
    """Whether the file has another role for a user, followed or not."""
    codes = {note["code"] for note in change.get("notes", ())}
    is_new = "after" in change and change["after"]["role"] != change["before"]["role"]
    return "role_kept" in codes or (is_new and change["subject"][0] == "user")


# Whole batches: after the directory changed, or for another person who confirms


@dataclass(frozen=True, slots=True)
class FreshPlans:
    """New plans of a batch, which can be stored in a later transaction.

    changed: the rows whose plan differs from the stored one. values: the same by line, for `write_rows`.
    version, directory_version: of the batch and the directory when they were made.
    """

    for_id: int
    version: int
    directory_version: int
    changed: Sequence[Row]
    values: dict[int, dict[str, Any]]
    counts: dict[str, int]


def show(batch: Batch) -> FreshPlans | None:
    """Put fresh plans into a batch and its rows as loaded, where the stored ones are stale. Nothing is stored.

    Keep what is returned until the rows are drawn, and store it once the page has answered. None: the stored plans are fresh.
    """
    is_stale = batch.directory_version != lookup.directory_version()
    if batch.state is not BatchState.REVIEWING or not is_stale:
        return None
    plans = _plan(batch, batch.planned_for)
    set_committed_value(batch, "counts", plans.counts)
    if plans.changed:
        set_committed_value(batch, "version", batch.version + 1)
    return plans


def store_shown(batch_id: int, plans: FreshPlans) -> None:
    """Store the plans that a page has shown.

    Where somebody changed the batch meanwhile, only its version is raised: that page has not shown the change.
    """
    begin_write()
    batch = review.get_batch(batch_id)
    if batch.state is BatchState.REVIEWING and batch.directory_version != plans.directory_version:
        if batch.version == plans.version:
            store(batch, plans)
        if plans.changed:
            batch.version += 1
    db.session.commit()


def lock_with_plans(batch_id: int, by: User) -> tuple[Batch, FreshPlans]:
    """Lock a batch and plan it for this person. Does not commit.

    Planning 50,000 rows takes seconds: it is done before the lock is taken, and again only where the batch or the directory
    changed meanwhile.
    """
    plans = _plan(review.get_batch(batch_id), by)
    begin_write()
    batch = review.get_batch(batch_id)
    if (batch.version, lookup.directory_version()) != (plans.version, plans.directory_version):
        plans = _plan(batch, by)
    return batch, plans


def plan_batch(batch: Batch) -> None:
    """Make every plan of a new or changed batch. Does not commit."""
    store(batch, _plan(batch, batch.planned_for))


def store(batch: Batch, plans: FreshPlans) -> None:
    """Store the plans of a locked batch. Does not commit."""
    batch.planned_for_id = plans.for_id
    batch.directory_version = plans.directory_version
    batch.counts = plans.counts
    write_rows(list(plans.values.values()))


def _plan(batch: Batch, by: User) -> FreshPlans:
    """Plan all rows for `by`, as loaded."""
    # first: what changes from here on makes these plans stale
    directory_version = lookup.directory_version()
    rows = load(select_rows(batch))
    plans = plan_stored_rows(batch, rows, by)
    changed = find_changed(rows, plans)
    for row in changed:
        set_plan(row, plans[row.line])
    return FreshPlans(
        for_id=by.id,
        version=batch.version,
        directory_version=directory_version,
        changed=changed,
        values={row.line: row_values(row) for row in changed},
        counts=dict(count_rows(plans.values())),
    )
