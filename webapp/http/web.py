"""What every view shares: the current user and their permissions, pages and fragments, headers of every answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask import (
    Flask,
    Response,
    after_this_request,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import ForbiddenError, UnauthorizedError
from webapp.core.files.cleaning import clip
from webapp.core.lists.paging import read_number
from webapp.core.security.permissions import Permission, describe_role
from webapp.core.text.devices import device
from webapp.core.text.formatting import (
    capital,
    day,
    full,
    lasting,
    plural,
    when,
)
from webapp.db import utcnow
from webapp.http.rate_limits import MINUTES
from webapp.models import User
from webapp.services.settings import in_force

PUBLIC = "public"
"""Anybody may call it, signed in or not."""
SIGNED_IN = "signed in"
"""Anybody signed in may call it."""

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Muster-Answer": "1",  # js/requests.js lets no other answer into a page
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
"""Headers of every answer."""
FRAME_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
)
"""For an e-mail's HTML: it may look as it likes, and do nothing."""

Answer = str | tuple[str, int] | BaseResponse
"""What a view answers: a page, with its status if that is not 200, or anything else."""

LONGEST_FORM = 500_000
"""Bytes; as many as werkzeug takes in the fields of a form with files."""

MAIN_QUEUE = "#main:queue all"
"""The value of hx-sync by which a page sends what changes its batch one request after another."""

API = "/api/"
"""Where programs come in: no cookie counts there, and every answer is JSON."""

View = TypeVar("View", bound=Callable[..., Any])


def require(who: Permission | str) -> Callable[[View], View]:
    """Declare who may call a view: a Permission, SIGNED_IN or PUBLIC. A view without it is refused to everyone."""

    def mark(view: View) -> View:
        view.required = who  # type: ignore[attr-defined]
        return view

    return mark


def may_call(endpoint: str) -> bool:
    """Whether the current user, signed in or not, may call an endpoint."""
    who = getattr(current_app.view_functions[endpoint], "required", None)
    return who == PUBLIC or bool(who and g.user and (who == SIGNED_IN or g.user.may(who)))


def is_api() -> bool:
    """Whether a program asks: the address is below /api/."""
    return request.path.startswith(API)


def limit_form() -> None:
    """Before every request: limit forms, which are held in memory as a whole, except those that take a table."""
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    if is_form and not request.path.startswith("/batches"):
        request.max_content_length = LONGEST_FORM


def refuse_nul() -> None:
    """Before every request: refuse NUL characters, which PostgreSQL cannot store, and a query that is no UTF-8."""
    texts = [request.path]
    try:
        for name, values in request.values.lists():
            texts += [name, *values]
    except UnicodeDecodeError:  # no browser sends that
        raise BadRequest from None
    for file in request.files.values():
        texts += [file.name or "", file.filename or ""]
    if "\0" in "".join(texts):
        raise BadRequest


def get_number(values: MultiDict[str, str], name: str) -> int | None:
    """A positive number of a query or form that the database can store, or None."""
    return read_number(values.get(name))


def check_permission() -> BaseResponse | None:
    """Before every request: refuse views that the current user may not call, whatever the page showed."""
    if request.endpoint in (None, "static") or may_call(str(request.endpoint)):
        return None
    if g.user is None and is_api():
        raise UnauthorizedError
    if g.user is None:
        return to_sign_in()
    raise ForbiddenError


def to_sign_in() -> BaseResponse:
    """Redirect a signed-out person to the sign-in and back again. A lost command is mentioned there."""
    if request.method != "GET" and request.endpoint != "sessions.delete":
        flash("Your last change was not saved.", "warn")
    here = None
    if is_fragment():
        page = request.headers.get("HX-Current-URL", "")
        here = safe_next(page.partition(request.host + request.script_root)[2])
        if "sid" not in session:  # otherwise the page says so by itself
            flash("You were signed out. Sign in to go on.", "warn")
    elif request.method == "GET":
        here = request.full_path.rstrip("?")
    return redirect_to("sessions.new", next=here)


def current_user() -> User:
    """The signed-in person; only behind SIGNED_IN or a permission."""
    assert isinstance(g.user, User)
    return g.user


def peer() -> str:
    """The network address that the request comes from."""
    return request.remote_addr or ""


def run_after_response(command: Callable[..., None], *args: Any) -> None:
    """Call a command after the answer was sent, in its own transaction. If the database fails, that is only logged."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def call() -> None:
        with app.app_context():
            try:
                command(*args)
            except SQLAlchemyError as error:
                app.logger.warning("%s was not written: %s", command.__name__, type(error).__name__)

    @after_this_request
    def _(response: Response) -> Response:
        response.call_on_close(call)
        return response


def is_fragment() -> bool:
    """Whether htmx asks for a part of a page. A restore from history needs the whole page."""
    return (
        request.headers.get("HX-Request") == "true"
        and request.headers.get("HX-Request-Type") != "full"
    )


def page_or_fragment(
    page: str, fragment: str, /, status: int = 200, **context: Any
) -> tuple[str, int]:
    """Render the fragment for htmx, and the page that includes it for other requests."""
    return render_template(fragment if is_fragment() else page, **context), status


def redirect_to(
    endpoint: str,
    *,
    say: str | None = None,
    back: str | None = None,
    acted: str = "",
    **values: Any,
) -> BaseResponse:
    """Redirect after a command, for htmx by HX-Redirect; `say` becomes a toast.

    back: the path that a form came from; it takes precedence over the endpoint if it is one of ours. acted: the key of the
    changed person, whose menu gets the focus on the next page.
    """
    if say:
        flash(say)
    if acted:
        session["acted"] = acted
    path = safe_next(back)
    target = request.script_root + path if path else url_for(endpoint, **values)
    if is_fragment():
        return Response(status=200, headers={"HX-Redirect": iri_to_uri(target)})
    return redirect(target, 303)


def safe_next(target: str | None) -> str | None:
    """The path if it is one of ours to go on to, or None."""
    target = target or ""
    is_path = target[:1] == "/" and target[1:2] not in ("/", "\\")
    return target if is_path and target.isprintable() else None


def security_headers(response: Response) -> Response:
    """After every request: set headers against framing, sniffing, caching and loading from other sites."""
    headers = response.headers
    parts = request.view_args or {}
    headers.setdefault("Content-Security-Policy", CSP)
    headers.update(HEADERS)
    # An address with a token is sent to nobody, not even to ourselves.
    headers["Referrer-Policy"] = "no-referrer" if "token" in parts else "same-origin"
    if request.endpoint != "static":
        headers["Cache-Control"] = "no-store"
        response.vary.add("HX-Request")
    elif "version" in parts:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        headers["Cache-Control"] = "no-cache"
    if response.status_code == 429:
        headers.setdefault("Retry-After", str(MINUTES * 60))
    if in_force.environment().https:
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def register_static(app: Flask) -> None:
    """Serve static files also at an address with their version, so that they can be cached forever.

    The version is a part of the path: scripts import each other by relative addresses, and so in the same version.
    """
    content = hashlib.sha256()
    for path in sorted(Path(str(app.static_folder)).rglob("*.*")):
        content.update(path.read_bytes())
    version = content.hexdigest()[:8]
    app.view_functions["static"] = lambda filename, **_version: app.send_static_file(filename)
    app.add_url_rule("/static/v-<version>/<path:filename>", endpoint="static")
    # A page has hundreds of icons: url_for would take longer.
    app.jinja_env.globals["asset"] = lambda name: f"{request.script_root}/static/v-{version}/{name}"


def register_words(app: Flask) -> None:
    """Register filters and names that every template may use."""

    def zone() -> ZoneInfo:
        return in_force.settings().time_zone

    app.jinja_env.filters.update(
        when=lambda moment: when(moment, utcnow(), zone()),
        full=lambda moment: full(moment, zone()),
        day=lambda moment: day(moment, utcnow(), zone()),
        clock=lambda moment: moment.astimezone(zone()).strftime("%H:%M:%S"),
        lasting=lasting,
        days_ahead=lambda days: day(utcnow() + timedelta(days=days), utcnow(), zone()),
        clip=clip,
        capital=capital,
        device=device,
    )
    app.jinja_env.globals.update(
        main_queue=MAIN_QUEUE,
        plural=plural,
        describe_role=describe_role,
        Permission=Permission,
        sso_name=lambda: in_force.environment().oidc_name,
    )

    @app.context_processor
    def _shared() -> dict[str, Any]:
        user = g.get("user")
        return {
            "me": user,
            "can": lambda permission: bool(user and user.may(permission)),
            "organisation_name": in_force.organisation_name(),
            "settings": in_force.settings(),
        }
