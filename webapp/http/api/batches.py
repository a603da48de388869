"""Batches and rows as programs get them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from flask import Response, url_for

from webapp.core.plan.group_cells import split_groups
from webapp.core.plan.planner import Access, Plan
from webapp.core.plan.registry import Registry
from webapp.core.text import row_phrases
from webapp.http.api.answers import answer
from webapp.http.api.requests import seen_tag
from webapp.http.web import run_after_response
from webapp.models import Batch, BatchState, Row
from webapp.schemas.api.batches import BatchOutput
from webapp.services.batches import planner, report, upload
from webapp.services.settings import in_force

NOT_BEGUN = (BatchState.MAPPING, BatchState.REVIEWING, BatchState.DISCARDED)


def refresh(batch: Batch) -> planner.FreshPlans | None:
    """Show plans that are fresh; they are stored once this has answered. Keep what is returned until the rows are drawn."""
    plans = planner.show(batch)
    if plans:
        run_after_response(planner.store_shown, batch.id, plans)
    return plans


def answer_batch(batch: Batch, status: int = 200) -> Response:
    """A batch with its tag, and where it is if that is news."""
    plans = refresh(batch)
    location = address(batch) if status != 200 else ""
    response = answer(
        BatchOutput, batch_values(batch), status, location=location, tag=f"{batch.version}-"
    )
    del plans
    return response


def address(batch: Batch) -> str:
    """Where a program finds a batch."""
    return url_for("api_batches.show", batch_id=batch.id)


def seen_version() -> int:
    """The version of the batch in `If-Match`; 0 for a tag of something else. Raises as `seen_tag` does."""
    number = seen_tag().partition("-")[0]
    return int(number) if number.isdecimal() and len(number) < 10 else 0


def batch_values(batch: Batch) -> dict[str, Any]:
    """A batch as `BatchOutput` takes it."""
    has_begun = batch.state not in NOT_BEGUN
    return summary_values(batch) | {
        "outcomes": outcomes(batch) if has_begun else {},
        "parts": [part.id for part in upload.parts_of(batch)],
    }


def summary_values(batch: Batch) -> dict[str, Any]:
    """A batch as `BatchSummaryOutput` takes it. No query."""
    return {
        "id": batch.id,
        "kind": batch.kind,
        "state": batch.state,
        "name": batch.name,
        "options": batch,
        "rows": batch.size,
        "counts": {plan.value: batch.counts.get(plan, 0) for plan in Plan},
        "to_send": batch.to_send,
        "administrators": batch.counts.get("admin", 0),
        "number_needed": batch.is_sweeping,
        "reading": batch.reading,
        "uploaded_by": batch.uploaded_by,
        "confirmed_by": batch.confirmed_by,
        "created_at": batch.created_at,
        "confirmed_at": batch.confirmed_at,
        "finished_at": batch.finished_at,
        "page": page_of(batch),
    }


def outcomes(batch: Batch) -> dict[str, int]:
    """How many rows came to which outcome."""
    return {str(name): n for name, n in report.tally(batch).items()}


def page_of(batch: Batch) -> str:
    """The whole address of the page where people see a batch."""
    path = url_for("batches.show", batch_id=batch.id)
    return urljoin(in_force.environment().public_url, path)


def row_values(row: Row, registry: Registry) -> dict[str, Any]:
    """A row as `RowOutput` takes it."""
    change = row.change
    return {
        "id": row.id,
        "line": row.line,
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "groups": split_groups(row.groups),
        "plan": row.plan,
        "issues": [_issue_values(issue) for issue in row.issues],
        "person": "{}-{}".format(*change.subject) if change.subject else None,
        "before": _access_values(change.before, registry),
        "after": _access_values(change.after, registry),
        "outcome": row.outcome,
        "reason": row.why,
        "done_at": row.done_at,
        "invitation": row.invitation_id,
    }


def _issue_values(issue: dict[str, Any]) -> dict[str, Any]:
    return {
        "field": issue["field"],
        "code": issue["code"],
        "text": row_phrases.describe(issue),
        "suggestion": issue.get("suggestion"),
    }


def _access_values(access: Access | None, registry: Registry) -> dict[str, Any] | None:
    if access is None:
        return None
    role = registry.role_by_id.get(access.role)
    return {"role": role.name if role else "", "groups": access.group_names(registry)}
