"""Signing in and out, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, after_this_request, current_app, g, redirect, render_template, request, session, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from webapp import limits
from webapp.core.errors import Refused
from webapp.core.words import full, plural
from webapp.db import utcnow
from webapp.forms import SignInForm
from webapp.models import User
from webapp.services import sessions, setup
from webapp.web import PUBLIC, SIGNED_IN, allow, go, me, safe_next

bp = Blueprint("sessions", __name__)

NOBODY_ASKS = {"static", "health.show"}
FEW = 3
"""So many tries left are said."""


def recognise() -> None:
    """Before every request: who asks, in `g.user`, by the cookie. That they are still here is noted after the answer."""
    g.user = g.session = None
    token = None if request.endpoint in NOBODY_ASKS else session.get("sid")
    found = sessions.current(token) if token else None
    if found:
        g.user, g.session = found.user, found
        if utcnow() - found.seen_at > sessions.MINUTE:
            afterwards(sessions.touch, found.id)


def afterwards(command: Callable[..., None], *args: Any, **details: Any) -> None:
    """Call a command once the answer is on its way, in a transaction of its own. It may fail: it is then only logged."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]

    def call() -> None:
        with app.app_context():
            try:
                command(*args, **details)
            except SQLAlchemyError as error:
                app.logger.warning("%s was not written: %s", command.__name__, type(error).__name__)

    @after_this_request
    def _(response: Response) -> Response:
        response.call_on_close(call)
        return response


def enter(user: User) -> None:
    """Sign this person in on this device; the answer should load a whole page, as tokens of open pages end here."""
    old = session.get("sid")
    session.clear()
    session.permanent = True
    session["sid"] = sessions.start(user, request.remote_addr or "", request.user_agent.string, replaces=old)


@bp.get("/sign-in")
@allow(PUBLIC)
def new() -> str | BaseResponse:
    """The sign-in; while there is no Owner, where to find the set-up link."""
    if setup.is_waiting():
        return render_template("setup/waiting.html")
    if g.user:
        return onward(request.args.get("next"))
    form = SignInForm(formdata=None, data={"next": safe_next(request.args.get("next"))})
    return render_template("sessions/new.html", form=form, ended="sid" in session)


@bp.post("/sign-in")
@allow(PUBLIC)
def create() -> str | BaseResponse | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Sign in: on to the page that was asked for, or the form again with one sentence."""
    if setup.is_waiting():
        return new()
    form = SignInForm()
    if not form.validate():
        return render_template("sessions/new.html", form=form), 422
    account, peer = sessions.account_key(form.email.data) or form.email.data.strip().casefold(), request.remote_addr or ""
    tries = limits.spend(account, peer)
    if tries.again_at:
        return too_many(form, tries.again_at)
    try:
        user = sessions.sign_in(form.email.data, form.password.data, peer)
    except Refused as refusal:
        return render_template("sessions/new.html", form=form, problem=str(refusal), advice=tries_left(tries.left)), 422
    limits.give_back(account, peer)
    enter(user)
    return onward(form.next.data)


class TooManyTries(Refused):
    """Too many wrong passwords within a while (429)."""


def prove(password: str, so: str = "Nothing was sent.") -> None:
    """Have who is signed in show that it is them; counted like a try to sign in. Raises Refused or TooManyTries.

    so: what follows where it is not them, in words.
    """
    account, peer = me().email_key, request.remote_addr or ""
    tries = limits.spend(account, peer)
    if tries.again_at:
        minutes = plural(max(1, round((tries.again_at - utcnow()).total_seconds() / 60)), "minute")
        raise TooManyTries(f"Too many tries. Try again in {minutes}. {so}")
    try:
        sessions.prove(me(), password, peer, so)
    except Refused as refusal:
        raise Refused(f"{refusal} {tries_left(tries.left)}".strip()) from refusal
    limits.give_back(account, peer)


@bp.post("/sign-out")
@allow(SIGNED_IN)
def delete() -> BaseResponse:
    """Sign out."""
    sessions.end(session["sid"])
    session.clear()
    return go("sessions.new", say="You are signed out.")


def onward(target: str | None) -> BaseResponse:
    """After signing in: to the page that was asked for, or Home."""
    path = safe_next(target)
    return redirect(request.script_root + path if path else url_for("home.index"), 303)


def tries_left(left: int) -> str:
    """How many tries there are before a pause, once there are few."""
    if left > FEW:
        return ""
    pause = f"a pause of {plural(limits.MINUTES, 'minute')}"
    return f"{plural(left, 'try', 'tries')} left before {pause}." if left else f"That was the last try before {pause}."


def too_many(form: SignInForm, again_at: datetime) -> tuple[str, int, dict[str, str]]:
    """429, with what was typed and when to try again."""
    seconds = max(1, round((again_at - utcnow()).total_seconds()))
    until = full(again_at, current_app.extensions["muster_settings"].time_zone).rpartition(", ")[2]
    minutes = plural(max(1, -(-seconds // 60)), "minute")
    page = render_template(
        "sessions/new.html", form=form, problem="Too many tries.", advice=f"Try again in {minutes}, at {until}."
    )
    return page, 429, {"Retry-After": str(seconds)}
