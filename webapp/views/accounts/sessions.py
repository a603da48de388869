"""Signing in and out, and who asks."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, after_this_request, current_app, g, redirect, render_template, request, session, url_for
from flask_wtf import FlaskForm
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import BusyError, RuleViolationError
from webapp.core.text.formatting import full, plural
from webapp.db import utcnow
from webapp.http import rate_limits
from webapp.http.forms import CodeForm, SignInForm
from webapp.http.rate_limits import Door, Tries
from webapp.http.web import PUBLIC, SIGNED_IN, current_user, redirect_to, require, safe_next
from webapp.models import User
from webapp.services.accounts import sessions, two_factor
from webapp.services.accounts.sessions import Refusal
from webapp.services.operations import first_run

bp = Blueprint("sessions", __name__)

Page = str | tuple[str, int] | tuple[str, int, dict[str, str]]
"""A page, with its status where that is not 200, and headers."""

NOBODY_ASKS = {"static", "health.show", "health.live", "health.figures"}
KNOWN = 5
"""So many accounts a browser is known by: people share one."""
FEW = 3
"""So many tries left are said."""


def recognise() -> None:
    """Before every request: who asks, in `g.user`, by the cookie. That they are still here is noted after the answer."""
    g.user = g.session_id = None
    token = None if request.endpoint in NOBODY_ASKS else session.get("sid")
    found = sessions.current(token) if token else None
    if found:
        g.user, g.session_id = found.user, found.id
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
    clear_cookie()
    session["device"] = session.get("device") or secrets.token_hex(8)
    known = [_digest(user.email_key), *session.get("known", [])]
    session["known"] = list(dict.fromkeys(known))[:KNOWN]
    session["sid"] = sessions.start(user, request.remote_addr or "", request.user_agent.string, replaces=old)


def renew() -> None:
    """Go on under another token, once the password or the like has changed: a copy of this browser's cookie ends."""
    session["sid"] = sessions.renew(g.session_id)


def clear_cookie() -> None:
    """Empty the cookie, but for what tells this browser from another, and who has signed in with it."""
    kept = {name: session[name] for name in ("device", "known") if name in session}
    session.clear()
    session.permanent = True
    session.update(kept)


def device_of(account: str) -> str:
    """This browser, where this account has signed in with it before; "" otherwise."""
    return str(session.get("device", "")) if _digest(account) in session.get("known", ()) else ""


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()[:16]


@bp.get("/sign-in")
@require(PUBLIC)
def new() -> str | BaseResponse:
    """The sign-in; while there is no Owner, where to find the set-up link."""
    if first_run.is_waiting():
        return render_template("setup/waiting.html")
    if g.user:
        return onward(request.args.get("next"))
    form = SignInForm(formdata=None, data={"next": safe_next(request.args.get("next"))})
    return render_template("sessions/new.html", form=form, ended="sid" in session)


@bp.post("/sign-in")
@require(PUBLIC)
def create() -> str | BaseResponse | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Sign in: on to the page that was asked for, or the form again with one sentence."""
    if first_run.is_waiting():
        return new()
    form = SignInForm()
    if not form.validate():
        return render_template("sessions/new.html", form=form), 422
    account, peer = sessions.account_key(form.email.data) or form.email.data.strip().casefold(), request.remote_addr or ""
    device = device_of(account)
    tries = rate_limits.spend(account, peer, device=device)
    if tries.again_at:
        afterwards(sessions.refuse, Refusal.LIMIT, None, refusal_label("sign-in", "as", account, tries), peer)
        return too_many(form, tries.again_at)
    try:
        user = sessions.sign_in(form.email.data, form.password.data, peer)
    except BusyError:
        rate_limits.give_back(account, peer, device=device)
        raise
    except RuleViolationError as refusal:
        return render_template("sessions/new.html", form=form, problem=str(refusal), advice=tries_left(tries.left)), 422
    rate_limits.give_back(account, peer, device=device)
    return admit(user, form.next.data)


def refusal_label(what: str, word: str, account: str, tries: Tries) -> str:
    """What the audit log calls a try too many: beyond the peer's own limit it does not matter what was typed."""
    if tries.of_place:
        return what
    return f"{what} {word} {account if '@' in account else '(not an email address)'}"


def admit(user: User, target: str | None = None) -> BaseResponse:
    """The first step is done: in, or on to the second one where this person has it. target: the page that was asked for."""
    if user.has_second_factor:
        session["half_way"] = [*two_factor.ticket(user), safe_next(target)]
        return redirect(url_for("sessions.second"), 303)
    enter(user)
    return onward(target)


@bp.get("/sign-in/code")
@require(PUBLIC)
def second() -> str | BaseResponse:
    """The second step; who has not passed the first, or took too long, begins again."""
    user, _ = half_way()
    return render_template("sessions/second.html", form=CodeForm(formdata=None)) if user else redirect_to("sessions.new")


@bp.post("/sign-in/code")
@require(PUBLIC)
def pass_second() -> Page | BaseResponse:
    """Sign in by a code from the app, or a recovery code."""
    user, target = half_way()
    if user is None:
        return redirect_to("sessions.new", say="That took too long. Sign in again.")
    form = CodeForm()
    if not form.validate():
        return render_template("sessions/second.html", form=form), 422
    try:
        with_limit(str(user.id), Door.CODE, lambda: two_factor.pass_(user, form.code.data, request.remote_addr or ""))
    except RuleViolationError as refusal:
        form.code.errors = [str(refusal)]
        return render_template("sessions/second.html", form=form), 429 if isinstance(refusal, TooManyTriesError) else 422
    enter(user)
    return onward(target)


def half_way() -> tuple[User | None, str | None]:
    """Who has passed the first step in this browser, and where they want to go."""
    *ticket, target = session.get("half_way") or (0, 0.0, "", None)
    return two_factor.half_way(*ticket), target


class TooManyTriesError(RuleViolationError):
    """Too many wrong passwords within a while (429)."""


def prove(password: str, kept: str = "Nothing was sent.") -> None:
    """Have who is signed in show that it is them; counted like a try to sign in. Raises RuleViolationError or TooManyTriesError.

    kept: what the sentence says of the state of things.
    """
    peer = request.remote_addr or ""
    with_limit(current_user().email_key, Door.SIGN_IN, lambda: sessions.prove(current_user(), password, peer, kept), kept)


def is_proven(kept: str = "Nothing was sent.") -> bool:
    """Whether the form brings one's own password. Raises as `prove` does where it brings another."""
    password = request.form.get("password", "")
    if password:
        prove(password, kept)
    return bool(password)


def with_limit(account: str, door: Door, check: Callable[[], None], kept: str = "") -> None:
    """Check something that could be guessed. What is right gives its try back. Raises RuleViolationError or TooManyTriesError."""
    peer, device = request.remote_addr or "", device_of(account)
    tries = rate_limits.spend(account, peer, door, device)
    if tries.again_at:
        afterwards(
            sessions.refuse,
            Refusal.LIMIT,
            g.user.id if g.user else None,
            "second step" if door is Door.CODE else "own password",
            peer,
        )
        minutes = plural(max(1, round((tries.again_at - utcnow()).total_seconds() / 60)), "minute")
        raise TooManyTriesError(f"Too many tries. Try again in {minutes}. {kept}".strip())
    try:
        check()
    except BusyError:
        rate_limits.give_back(account, peer, door, device)
        raise
    except RuleViolationError as refusal:
        raise RuleViolationError(f"{refusal} {tries_left(tries.left)}".strip(), field=refusal.field) from refusal
    rate_limits.give_back(account, peer, door, device)


@bp.post("/sign-out")
@require(SIGNED_IN)
def delete() -> BaseResponse:
    """Sign out."""
    sessions.end(session["sid"])
    clear_cookie()
    answer = redirect_to("sessions.new", say="You are signed out.")
    answer.headers["Clear-Site-Data"] = '"cache"'  # pages that a browser still holds; the cookie ended on the server
    return answer


def onward(target: str | None) -> BaseResponse:
    """After signing in: to the page that was asked for, or Home."""
    path = safe_next(target)
    return redirect(request.script_root + path if path else url_for("home.index"), 303)


def answer_dead_link(what: str, page: tuple[str, int], is_known: bool = False) -> Page:
    """The answer to a link that does not work, counted in the audit log. what: the link, in the words of the log.

    is_known: whether it was a link once. Who tries one after the other that never was gets 429; links that work open
    all the same, so that nobody is kept from theirs.
    """
    peer, user_id = request.remote_addr or "", g.user.id if g.user else None
    afterwards(sessions.refuse, Refusal.LINK, user_id, what, peer)
    if is_known or not (again_at := rate_limits.miss(peer).again_at):
        return page
    seconds = max(1, round((again_at - utcnow()).total_seconds()))
    text = (
        f"Many links that do not work were opened from here. Wait {plural(max(1, -(-seconds // 60)), 'minute')}, then try again."
    )
    html = render_template("errors/error.html", code=429, title="Too many links that do not work", text=text)
    return html, 429, {"Retry-After": str(seconds)}


def tries_left(left: int) -> str:
    """How many tries there are before a pause, once there are few."""
    if left > FEW:
        return ""
    pause = f"a pause of {plural(rate_limits.MINUTES, 'minute')}"
    return f"{plural(left, 'try', 'tries')} left before {pause}." if left else f"That was the last try before {pause}."


def too_many(form: FlaskForm, again_at: datetime, template: str = "sessions/new.html") -> tuple[str, int, dict[str, str]]:
    """429, with what was typed and when to try again."""
    seconds = max(1, round((again_at - utcnow()).total_seconds()))
    until = full(again_at, current_app.extensions["muster_settings"].time_zone).rpartition(", ")[2]
    minutes = plural(max(1, -(-seconds // 60)), "minute")
    page = render_template(template, form=form, problem="Too many tries.", advice=f"Try again in {minutes}, at {until}.")
    return page, 429, {"Retry-After": str(seconds)}
