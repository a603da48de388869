"""Account Settings: where everything is, and what is set on pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template, request
from marshmallow import ValidationError

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.lists.people_filter import Filter
from webapp.core.security.permissions import Permission
from webapp.http.auth import check_given_password, explain
from webapp.http.web import (
    FRAME_CSP,
    SIGNED_IN,
    Answer,
    current_user,
    redirect_to,
    require,
)
from webapp.services.batches import trial_message
from webapp.services.directory import lookup, people_list
from webapp.services.mail import render
from webapp.services.operations import change_settings, status
from webapp.services.settings import in_force
from webapp.settings.pages import NAME, SECTIONS, Section
from webapp.settings.parsers import list_zones
from webapp.settings.settings import ON_PAGES

bp = Blueprint("settings", __name__, url_prefix="/settings")


@bp.get("")
@require(SIGNED_IN)
def index() -> str:
    """Show where settings are, one's own part, and the Owner how the installation is doing."""
    sees = current_user().may(Permission.USERS_SEE)
    sets = current_user().may(Permission.ORGANISATION_MANAGE)
    given = in_force.environment()
    return render_template(
        "settings/index.html",
        counts=people_list.count_people(Filter())[1] if sees else None,
        registry=lookup.registry(),
        sections=SECTIONS if sets else None,
        given=given,
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
def update(section: str) -> Answer:
    """Save a settings page. Wrong values are explained under their fields, and nothing is stored."""
    try:
        proven = check_given_password()
        changed = store(get_section(section), proven=proven)
    except ValidationError as error:
        return page(section, error.messages_dict), 422
    except RuleViolationError as refusal:
        return page(section, {"password": [explain(refusal)]}), refusal.status
    return redirect_to(
        "settings.show",
        section=section,
        say="Saved." if changed else "Nothing was changed.",
    )


@bp.post("/email/tests")
@require(Permission.ORGANISATION_MANAGE)
def test() -> Answer:
    """Save what is typed and send a test message to the current user."""
    try:
        store(get_section("email"))
        message = trial_message.send_test(current_user())
    except ValidationError as error:
        return page("email", error.messages_dict), 422
    return redirect_to(
        "settings.show",
        section="email",
        say=f"Test on its way to {message.recipient}.",
    )


@bp.get("/email/letter")
@require(Permission.ORGANISATION_MANAGE)
def letter() -> Response:
    """The invitation's HTML as a document of its own, for the frame."""
    return Response(
        render.render_example(current_user()).html,
        headers={"Content-Security-Policy": FRAME_CSP},
    )


def get_section(section: str) -> Section:
    """The section of this address. Raises NotFoundError."""
    if section not in SECTIONS:
        raise NotFoundError("There are no such settings.")
    return SECTIONS[section]


def store(section: Section, *, proven: bool = False) -> bool:
    """Save what was typed since the page was opened: other fields may have been set by somebody else meanwhile."""
    form = read_form()
    typed = {
        name: form[name]
        for name in section.names
        if name in form and form[name] != form.get(f"seen-{name}")
    }
    if form.get(NAME) == "":  # it is refused, also where there was none
        typed[NAME] = ""
    return change_settings.save(typed, current_user(), proven=proven)


def read_form() -> dict[str, str]:
    """What was typed: a number and its unit are one text ("8h")."""
    form = request.form.to_dict()
    for name in form.keys() & ON_PAGES:
        if form[name].strip().isdigit():
            form[name] = form[name].strip() + form.get(f"{name}-unit", "")
    return form


def page(section: str, problems: dict[str, Any] | None = None) -> str:
    """The page, after a refusal with what was typed."""
    asked = get_section(section)
    form = read_form()
    now = change_settings.current_texts()
    email = last = None
    if section == "email":
        email = render.render_example(current_user())
        last = trial_message.last_general_test(current_user())
    return render_template(
        "settings/section.html",
        address=section,
        section_shown=asked,
        given=in_force.environment().given,
        typed={name: form.get(name, now[name]) for name in now},
        seen={name: form.get(f"seen-{name}", now[name]) for name in now},
        problems=problems or {},
        zones=list_zones(now["TIME_ZONE"]),
        email=email,
        last=last,
    )
