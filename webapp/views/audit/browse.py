"""The audit log: read, found, exported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from webapp.core.files.csv_writer import write_lines
from webapp.core.security.permissions import Permission
from webapp.db import utcnow
from webapp.http.attachments import attach
from webapp.http.web import LARGEST, current_user, get_number, require, run_after_response
from webapp.services.audit import browse
from webapp.services.audit.browse import Entry, Filter
from webapp.services.settings import in_force

bp = Blueprint("audit", __name__, url_prefix="/audit")

DAYS = (7, 30, 365)
"""Periods that the page offers, up to now."""
BETWEEN = "between"

PAGES = {
    "users": (Permission.USERS_SEE, "people.user", "user_id"),
    "invitations": (Permission.USERS_SEE, "people.invitation", "invitation_id"),
    "batches": (Permission.BATCHES_SEE, "batches.show", "batch_id"),
    "groups": (Permission.USERS_SEE, "groups.show", "group_id"),
    "roles": (Permission.ORGANISATION_MANAGE, "roles.show", "role_id"),
}
"""By the table of a subject: who may see its page, and which that is."""


@bp.get("")
@require(Permission.AUDIT_READ)
def index() -> str:
    """The log, newest first, as the address filters it."""
    wanted = filter_from_request()
    listing = browse.listing(wanted, get_number(request.args, "before"))
    actors = browse.actors()
    return render_template(
        "audit/index.html",
        wanted=wanted,
        between=request.args.get("days") == BETWEEN or bool(wanted.first or wanted.last),
        days=listing.by_day(),
        next_url=address(wanted, before=listing.next) if listing.next else None,
        is_first=not request.args.get("before"),
        actors=actors,
        areas=browse.AREAS,
        kept_days=in_force.settings().audit_days,
        periods=DAYS,
        today=utcnow().astimezone(in_force.settings().time_zone).date(),
        address=lambda **changed: address(wanted, **changed),
        page_of=page_of,
        csv_url=address(wanted, endpoint="audit.csv"),
        lines_url=address(wanted, endpoint="audit.lines"),
    )


@bp.get("/events.csv")
@require(Permission.AUDIT_READ)
def csv() -> Response:
    """All that the filter finds, for a spreadsheet."""
    return export(
        "csv", lambda entries: write_lines(browse.HEADER, map(browse.row, entries)), "text/csv"
    )


@bp.get("/events.jsonl")
@require(Permission.AUDIT_READ)
def lines() -> Response:
    """All that the filter finds, one JSON object a line, with the links of the chain."""
    return export("jsonl", browse.lines, "application/jsonl")


def export(
    form: str, write: Callable[[Iterable[Entry]], Iterator[bytes]], mimetype: str
) -> Response:
    """A file of what the filter finds; that it was taken is noted once it is on its way, with how many entries it has."""
    wanted, counted, who, peer = (
        filter_from_request(),
        [0],
        current_user().id,
        request.remote_addr or "",
    )
    given = {name: of for name, of in request.args.items() if of}

    def entries() -> Iterator[Entry]:
        for entry in browse.each(wanted):
            counted[0] += 1
            yield entry

    def note() -> None:
        browse.record_export(who, peer, form, given, counted[0])

    run_after_response(note)
    return attach(write(entries()), f"audit-log-{utcnow():%Y-%m-%d}.{form}", mimetype)


def filter_from_request() -> Filter:
    """The filter that the address carries; what it does not know is left out."""
    given = request.args
    newest = get_number(given, "days")
    actor = browse.ITSELF if given.get("by") == browse.ITSELF else get_number(given, "by")
    return Filter(
        search=given.get("q", "").strip()[:100],
        action=given.get("action", "").strip()[:64],
        actor=actor,
        about=_about(given.get("about", "")),
        newest=newest if newest and newest < 36_500 else None,
        first=_day(given.get("from", "")),
        last=_day(given.get("to", "")),
    )


def _about(text: str) -> tuple[str, int] | None:
    """ "users-12" as ("users", 12)."""
    kind, _, subject_id = text.rpartition("-")
    return (
        (kind, int(subject_id))
        if kind
        and subject_id.isascii()
        and subject_id.isdigit()
        and len(subject_id) < 11
        and int(subject_id) <= LARGEST
        else None
    )


def _day(text: str) -> date | None:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        return None
    return day if 1970 <= day.year < 9999 else None


def address(wanted: Filter, endpoint: str = "audit.index", **changed: Any) -> str:
    """The address of what this filter shows, with what is changed of it."""
    values: dict[str, Any] = {
        "q": wanted.search or None,
        "action": wanted.action or None,
        "by": wanted.actor,
        "about": "-".join(map(str, wanted.about)) if wanted.about else None,
        "days": wanted.newest,
        "from": wanted.first,
        "to": wanted.last,
    } | changed
    return url_for(endpoint, **{name: value for name, value in values.items() if value is not None})


def page_of(kind: str, subject_id: int | None) -> str | None:
    """The page of an event's subject, if there is one that the reader may see."""
    may_see, endpoint, argument = PAGES.get(kind, (None, "", ""))
    if may_see is None or not current_user().may(may_see):
        return None
    found: dict[str, Any] = {argument: subject_id}
    return url_for(endpoint, **found)
