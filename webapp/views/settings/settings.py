"""Account Settings: where everything is, and what is set on pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, render_template, request
from marshmallow import ValidationError
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import NotFoundError, RateLimitError, RuleViolationError
from webapp.core.lists.people_filter import Filter, Status
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import plural
from webapp.http.auth import check_given_password
from webapp.http.forms import OrganisationForm
from webapp.http.web import FRAME_CSP, SIGNED_IN, current_user, redirect_to, require
from webapp.services.batches import trial_message
from webapp.services.directory import groups, people_list, roles
from webapp.services.mail import preview
from webapp.services.operations import change_settings, retention, status
from webapp.services.settings import in_force
from webapp.settings.pages import NAME, SECTIONS, Section
from webapp.settings.settings import Settings

bp = Blueprint("settings", __name__, url_prefix="/settings")


@bp.get("")
@require(SIGNED_IN)
def index() -> str:
    """Where settings are, one's own part, and for the Owner how the installation is doing."""
    sees, sets = (
        current_user().may(Permission.USERS_SEE),
        current_user().may(Permission.ORGANISATION_MANAGE),
    )
    return render_template(
        "settings/index.html",
        people=people() if sees else "",
        groups=plural(len(groups.list_groups()), "group") if sees else "",
        roles=plural(len(roles.list_roles()), "role") if sees else "",
        sections=SECTIONS,
        now=in_words(in_force.settings()) if sets else {},
        server=server(in_force.environment()) if sets else {},
        health=status.health() if sets else None,
        facts=status.facts() if sets else None,
    )


@bp.get("/<section>")
@require(Permission.ORGANISATION_MANAGE)
def show(section: str) -> str:
    """One page of settings."""
    return page(section)


@bp.post("/<section>")
@require(Permission.ORGANISATION_MANAGE)
def update(section: str) -> BaseResponse | tuple[str, int]:
    """Save a settings page. Wrong values are explained under their fields, and nothing is stored. Asks before deleting much."""
    days = request.form.get("RETENTION_DAYS", "")
    if request.form.get("lose") != days and (lost := retention.lost_by(days)):
        return page(section, lost=lost), 422
    try:
        changed = store(get_section(section), proven=check_given_password("Nothing was saved."))
    except ValidationError as error:
        return page(section, error.messages_dict), 422
    except RuleViolationError as refusal:
        return page(section, {"password": [str(refusal)]}), refusal.status
    return redirect_to(
        "settings.show", section=section, say="Saved." if changed else "Nothing was changed."
    )


@bp.post("/email/tests")
@require(Permission.ORGANISATION_MANAGE)
def test() -> BaseResponse | tuple[str, int]:
    """Save what is typed and send a test message to the current user."""
    try:
        store(get_section("email"))
        message = trial_message.send_general_test(current_user())
    except ValidationError as error:
        return page("email", error.messages_dict), 422
    except RateLimitError as refusal:
        return page("email", {"test": [str(refusal)]}), refusal.status
    return redirect_to(
        "settings.show", section="email", say=f"Test on its way to {message.recipient}."
    )


@bp.get("/email/letter")
@require(Permission.ORGANISATION_MANAGE)
def letter() -> Response:
    """The invitation's HTML as a document of its own, for the frame."""
    return Response(
        preview.render_general_example(current_user()).html,
        headers={"Content-Security-Policy": FRAME_CSP},
    )


def get_section(section: str) -> Section:
    """The section of this address. Raises NotFoundError."""
    if section not in SECTIONS:
        raise NotFoundError("There are no such settings.")
    return SECTIONS[section]


def store(section: Section, *, proven: bool = False) -> bool:
    """What the form carries, and what it showed when it was opened."""
    typed = {name: request.form[name] for name in section.names if name in request.form}
    if NAME in typed:
        form = OrganisationForm()
        if not form.validate():
            raise ValidationError(form.errors)
        typed[NAME] = form.NAME.data
    seen = {name: request.form.get(f"seen-{name}", "") for name in typed}
    return change_settings.save(typed, seen, current_user(), proven=proven)


def page(section: str, problems: dict[str, Any] | None = None, lost: int = 0) -> str:
    """The page again with what was typed. Another person's change counts as seen once it was shown.

    lost: of how many batches the rows would be deleted, which is asked about first.
    """
    asked, problems = get_section(section), problems or {}
    now = change_settings.current_texts(asked.names)
    kept = {
        name: request.form.get(f"seen-{name}", now[name]) for name in now if name not in problems
    }
    is_email = section == "email"
    return render_template(
        "settings/section.html",
        address=section,
        section_shown=asked,
        given=in_force.environment().given,
        typed={name: request.form.get(name, now[name]) for name in now},
        seen=now | kept,
        problems=problems,
        lost=lost,
        email=preview.render_general_example(current_user()) if is_email else None,
        last=trial_message.last_general_test(current_user()) if is_email else None,
    )


def people() -> str:
    """ "163 users, 14 invited, 4 expired"."""
    counts = people_list.list_people(Filter()).counts
    parts = [plural(counts[Status.ACTIVE] + counts[Status.DEACTIVATED], "user")]
    parts += [
        f"{counts[status]:,} {status.value}"
        for status in (Status.INVITED, Status.EXPIRED)
        if counts[status]
    ]
    return ", ".join(parts)


def in_words(settings: Settings) -> dict[str, str]:
    """The one thing of each section that its line in the index tells."""
    rows, log = (
        plural(days, "day") if days else "for good"
        for days in (settings.retention_days, settings.audit_days)
    )
    return {
        "sign-in": {
            "off": "Two-step off",
            "managers": "Two-step for managers",
            "everyone": "Two-step for everyone",
        }[settings.require_totp],
        "email": settings.mail_from,
        "uploads": f"{plural(settings.max_rows, 'user')} per file",
        "general": settings.time_zone.key,
        "data": f"Uploads kept {rows}, audit log {log}",
    }


def server(settings: Settings) -> dict[str, str]:
    """What only the environment sets, without anything secret."""
    return {
        "Address": settings.public_url,
        "Mail server": mail_server(settings),
        "Sending speed": f"{plural(settings.mail_rate, 'message')} a minute",
        "File size": f"At most {settings.max_upload_mb} MB",
        "Database": "PostgreSQL" if settings.database_url.startswith("postgresql") else "SQLite",
        "Queue server": queue_server(settings),
    }


def mail_server(settings: Settings) -> str:
    """The mail server's host, or where the messages are kept."""
    if not settings.mail_url:
        return "None: kept as .eml files"
    return urlsplit(settings.mail_url).hostname or ""


def queue_server(settings: Settings) -> str:
    """The queue server's host, or that it is Muster's own."""
    if settings.embedded_queue:
        return "Muster’s own"
    return urlsplit(settings.redis_url).hostname or "On this machine"
