"""Signing in, in one step or two, and signing out."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request, session
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import RuleViolationError
from webapp.http.auth import (
    clear_session,
    continue_sign_in,
    go_on,
    limit_tries,
    start_session,
)
from webapp.http.forms import CodeForm, SignInForm, show_errors
from webapp.http.rate_limits import Limit
from webapp.http.web import PUBLIC, SIGNED_IN, Page, current_user, redirect_to, require, safe_next
from webapp.models import User
from webapp.services.accounts import sessions, two_factor
from webapp.services.operations import first_run

bp = Blueprint("sessions", __name__)


@bp.get("/sign-in")
@require(PUBLIC)
def new() -> Page | BaseResponse:
    """The sign-in form; while there is no Owner, where to find the set-up link."""
    if first_run.is_waiting():
        return render_template("operations/first_run/waiting.html")
    if g.user:
        return go_on(request.args.get("next"))
    form = SignInForm(formdata=None, data={"next": safe_next(request.args.get("next"))})
    return render_template("accounts/sessions/new.html", form=form, ended="sid" in session)


@bp.post("/sign-in")
@require(PUBLIC)
def create() -> Page | BaseResponse:
    """Sign in and go on to the page that was asked for, or show the form again with one sentence."""
    if first_run.is_waiting():
        return new()
    form = SignInForm()
    if not form.validate():
        return render_template("accounts/sessions/new.html", form=form), 422
    try:
        account = sessions.account_key(form.email.data)
        with limit_tries(account, Limit.SIGN_IN, f"sign-in as {account}"):
            user = sessions.sign_in(form.email.data, form.password.data)
    except RuleViolationError as refusal:
        page = render_template("accounts/sessions/new.html", form=form, problem=str(refusal))
        return page, refusal.status
    return continue_sign_in(user, form.next.data)


@bp.get("/sign-in/code")
@require(PUBLIC)
def second() -> Page | BaseResponse:
    """The second step. Those who have not passed the first, or took too long, start again."""
    user, _ = pending_sign_in()
    if user is None:
        return redirect_to("sessions.new")
    return render_template("accounts/sessions/second.html", form=CodeForm(formdata=None))


@bp.post("/sign-in/code")
@require(PUBLIC)
def pass_second() -> Page | BaseResponse:
    """Sign in with a code from the app, or a recovery code."""
    user, target = pending_sign_in()
    if user is None:
        return redirect_to("sessions.new", say="That took too long. Sign in again.")
    form = CodeForm()
    if not form.validate():
        return render_template("accounts/sessions/second.html", form=form), 422
    try:
        with limit_tries(str(user.id), Limit.CODE, "second step"):
            two_factor.check_code(user, form.code.data)
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return render_template("accounts/sessions/second.html", form=form), refusal.status
    start_session(user)
    return go_on(target)


def pending_sign_in() -> tuple[User | None, str | None]:
    """The user who passed the first step in this browser, and where they want to go."""
    *ticket, target = session.get("half_way") or (0, 0.0, "", None)
    return two_factor.pending_user(*ticket), target


@bp.post("/sign-out")
@require(SIGNED_IN)
def delete() -> BaseResponse:
    """Sign out."""
    sessions.end_sessions(current_user(), current_user(), only=g.session_id)
    clear_session()
    answer = redirect_to("sessions.new", say="You are signed out.")
    answer.headers["Clear-Site-Data"] = (
        '"cache"'  # pages that a browser still holds; the cookie ended on the server
    )
    return answer
