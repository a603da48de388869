"""Webhooks: endpoints that other systems listen at, for the Owner."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.core.text.webhook_phrases import TITLES
from webapp.http.forms import WebhookForm, show_errors
from webapp.http.questions import ask
from webapp.http.web import Answer, current_user, get_number, redirect_to, require
from webapp.services.webhooks import endpoints

bp = Blueprint("webhooks", __name__, url_prefix="/settings/webhooks")

BOTH = ["GET", "POST"]
TRAIL = (("Account Settings", "settings.index"), ("Webhooks", "webhooks.index"))


@bp.get("")
@require(Permission.ORGANISATION_MANAGE)
def index() -> str:
    """All endpoints, and how each is doing."""
    found = endpoints.list_endpoints()
    return render_template("settings/webhooks/index.html", endpoints=found, titles=TITLES)


@bp.route("/new", methods=BOTH)
@require(Permission.ORGANISATION_MANAGE)
def create() -> Answer:
    """Add one. The answer shows its secret, this once."""
    form = WebhookForm()
    if not form.validate_on_submit():
        return form_page(form)
    try:
        added = endpoints.add(form.url.data, form.types.data, current_user())
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return form_page(form)
    return secret_page(added.id)


@bp.get("/<int:endpoint_id>")
@require(Permission.ORGANISATION_MANAGE)
def show(endpoint_id: int) -> str:
    """One endpoint: what it is told, what waits, and its last answers."""
    endpoint = endpoints.get_endpoint(endpoint_id)
    return page(endpoint_id, WebhookForm(formdata=None, obj=endpoint))


@bp.post("/<int:endpoint_id>")
@require(Permission.ORGANISATION_MANAGE)
def update(endpoint_id: int) -> Answer:
    """Change address and types."""
    form = WebhookForm()
    if not form.validate():
        return page(endpoint_id, form), 422
    try:
        endpoints.change(endpoint_id, form.url.data, form.types.data, current_user())
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return page(endpoint_id, form), 422
    return to(endpoint_id, "Saved.")


@bp.get("/<int:endpoint_id>/answers")
@require(Permission.ORGANISATION_MANAGE)
def answers(endpoint_id: int) -> str:
    """The last answers, as the page asks for them while a test waits."""
    endpoint = endpoints.get_endpoint(endpoint_id)
    return render_template("settings/webhooks/_answers.html", endpoint=endpoint)


@bp.post("/<int:endpoint_id>/tests")
@require(Permission.ORGANISATION_MANAGE)
def test(endpoint_id: int) -> Answer:
    """Send a test."""
    endpoints.ask_for_test(endpoint_id, current_user())
    return to(endpoint_id, "A test is on its way.")


@bp.post("/<int:endpoint_id>/resumption")
@require(Permission.ORGANISATION_MANAGE)
def resume(endpoint_id: int) -> Answer:
    """Try again now; turn it on where it is off."""
    endpoints.resume(endpoint_id, current_user())
    return to(endpoint_id, "Muster tries again now.")


@bp.route("/<int:endpoint_id>/skip", methods=BOTH)
@require(Permission.ORGANISATION_MANAGE)
def skip(endpoint_id: int) -> Answer:
    """Ask first, then go on behind the event that is not taken."""
    if request.method == "POST":
        endpoints.skip(endpoint_id, get_number(request.form, "seq") or 0, current_user())
        return to(endpoint_id, "Skipped.")
    endpoint = endpoints.get_endpoint(endpoint_id)
    waiting = endpoints.find_next(endpoint)
    if waiting is None:
        raise ConflictError("No event waits.")
    return ask(
        asks="Skip this event?",
        tells=f"{endpoint.name} is never told: {TITLES[waiting.action]}. Events behind it follow.",
        does="Skip this event",
        home=url_for("webhooks.show", endpoint_id=endpoint_id),
        trail=TRAIL,
        values={"seq": waiting.seq},
    )


@bp.route("/<int:endpoint_id>/secret", methods=BOTH)
@require(Permission.ORGANISATION_MANAGE)
def secret(endpoint_id: int) -> Answer:
    """Ask first, then make a new secret and show it, this once."""
    if request.method == "POST":
        endpoints.renew_secret(endpoint_id, current_user())
        return secret_page(endpoint_id)
    endpoint = endpoints.get_endpoint(endpoint_id)
    return ask(
        asks="Make a new secret?",
        tells=f"For 24 hours both secrets sign, so that {endpoint.name} can change in peace. Then the new one alone does.",
        does="Make a new secret",
        home=url_for("webhooks.show", endpoint_id=endpoint_id),
        trail=TRAIL,
        is_harmless=True,
    )


@bp.route("/<int:endpoint_id>/deletion", methods=BOTH)
@require(Permission.ORGANISATION_MANAGE)
def deletion(endpoint_id: int) -> Answer:
    """Ask first, then delete it."""
    if request.method == "POST":
        name = endpoints.remove(endpoint_id, current_user())
        return redirect_to("webhooks.index", say=f"The webhook to {name} is deleted.")
    endpoint = endpoints.get_endpoint(endpoint_id)
    return ask(
        asks=f"Delete the webhook to {endpoint.name}?",
        tells="It is told nothing more, also not what waits now. Its secret signs nothing any more.",
        does="Delete webhook",
        home=url_for("webhooks.show", endpoint_id=endpoint_id),
        trail=TRAIL,
    )


def to(endpoint_id: int, said: str) -> Answer:
    """Back to the page."""
    return redirect_to("webhooks.show", endpoint_id=endpoint_id, say=said)


def page(endpoint_id: int, form: WebhookForm) -> str:
    """The page of one endpoint."""
    endpoint = endpoints.get_endpoint(endpoint_id)
    return render_template(
        "settings/webhooks/show.html",
        endpoint=endpoint,
        form=form,
        titles=TITLES,
        next_event=endpoints.find_next(endpoint),
        waiting=endpoints.count_waiting(endpoint),
        has_lost=endpoints.has_lost(endpoint),
    )


def form_page(form: WebhookForm) -> Answer:
    """The form for a new one; 422 where something in it is wrong."""
    html = render_template("settings/webhooks/new.html", form=form)
    return html, 422 if form.is_submitted() else 200


def secret_page(endpoint_id: int) -> str:
    """The secret, this once."""
    endpoint = endpoints.get_endpoint(endpoint_id)
    made = endpoints.derive_secret(endpoint)
    return render_template("settings/webhooks/secret.html", endpoint=endpoint, secret=made)
