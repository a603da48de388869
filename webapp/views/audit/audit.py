"""The audit log: read, found, exported."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Response, render_template, request, url_for
from marshmallow import ValidationError

from webapp.core.security.permissions import Permission
from webapp.core.text.audit_phrases import describe_run
from webapp.db import utcnow
from webapp.http.attachments import attach
from webapp.http.web import current_user, get_number, may_call, require
from webapp.schemas.audit import LogFilterSchema
from webapp.services.audit import browse
from webapp.services.audit.browse import Filter
from webapp.services.settings import in_force

bp = Blueprint("audit", __name__, url_prefix="/audit")

MIMETYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}

PAGES = {
    "users": ("person.show", "user_id"),
    "invitations": ("person.show", "invitation_id"),
    "batches": ("batches.show", "batch_id"),
    "groups": ("groups.show", "group_id"),
    "roles": ("roles.show", "role_id"),
    "endpoints": ("webhooks.show", "endpoint_id"),
}
"""The page of a subject, by its table."""


@bp.get("")
@require(Permission.AUDIT_READ)
def index() -> str:
    """The log, newest first, as the address filters it."""
    wanted = read_filter()
    before = get_number(request.args, "before")
    entries, following = browse.list_page(wanted, before)
    return render_template(
        "audit/index.html",
        wanted=wanted,
        given=LogFilterSchema().dump(wanted),
        runs=browse.in_runs(entries),
        describe_run=describe_run,
        before=before,
        following=following,
        actors=browse.list_actors(),
        areas=browse.AREAS,
        today=utcnow().astimezone(in_force.settings().time_zone).date(),
        page_of=page_of,
    )


@bp.get("/events.csv", defaults={"form": "csv"})
@bp.get("/events.jsonl", defaults={"form": "jsonl"})
@require(Permission.AUDIT_READ)
def export(form: str) -> Response:
    """All that the filter finds: for a spreadsheet, or one JSON object a line with the links of the chain."""
    file = browse.export(read_filter(), form, current_user())
    return attach(file, f"audit-log-{utcnow():%Y-%m-%d}.{form}", MIMETYPES[form])


def read_filter() -> Filter:
    """The filter that the address carries; what it does not know is left out."""
    try:
        found = LogFilterSchema().load(request.args)
    except ValidationError as wrong:
        found = wrong.valid_data
    return cast(Filter, found)


def page_of(kind: str, subject_id: int | None) -> str | None:
    """The page of an event's subject, if there is one that the reader may see."""
    endpoint, argument = PAGES.get(kind, ("", ""))
    if not endpoint or not may_call(endpoint):
        return None
    values: dict[str, Any] = {argument: subject_id}
    return url_for(endpoint, **values)
