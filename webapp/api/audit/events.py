"""The audit log, in the order in which it is sealed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from webapp.core.security.permissions import Permission
from webapp.http.api import answers
from webapp.http.api.documents import describe
from webapp.http.api.requests import read_query
from webapp.http.web import require
from webapp.schemas.api.fields import PageQuery
from webapp.schemas.api.people import EventsOutput
from webapp.services.audit import browse
from webapp.services.audit.browse import Entry

bp = Blueprint("api_events", __name__, url_prefix="/api/v1/audit/events")

FIELDS = (
    "seq",
    "at",
    "action",
    "actor",
    "actor_id",
    "subject",
    "subject_type",
    "subject_id",
    "address",
    "count",
    "details",
)


@bp.get("")
@require(Permission.AUDIT_READ)
@describe("Read the audit log", query=PageQuery, gives=EventsOutput)
def index() -> Response:
    """Sealed entries by their place, which has no gaps: go on after the last one that you have. Entries are sealed within
    seconds, refusals after an hour."""
    query = read_query(PageQuery)
    limit = query["limit"]
    found = browse.list_sealed(query.get("after", 0), limit)
    following = found[-1].event.seq if len(found) == limit else None
    values = [entry_values(entry) for entry in found]
    return answers.page(EventsOutput, "events", values, following)


def entry_values(entry: Entry) -> dict[str, Any]:
    """An entry as `EventOutput` takes it."""
    values = {name: getattr(entry.event, name) for name in FIELDS}
    return values | {"sentence": entry.sentence}
