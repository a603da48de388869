"""Signing in, in one step or two, and signing out."""

from __future__ import annotations

from flask import Blueprint, g, make_response, render_template, request, session

from webapp.core.errors import RuleViolationError
from webapp.http.auth import clear_session, continue_sign_in, limit_tries, start_session
from webapp.http.forms import CodeForm, SignInForm, form_page, show_errors
from webapp.http.rate_limits import Limit
from webapp.http.sso import explain_trouble
from webapp.http.web import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    current_user,
    redirect_to,
    require,
    safe_next,
)
from webapp.models import Door
from webapp.services.accounts import sessions, two_factor
from webapp.services.accounts.sso import EntryRefusedError
from webapp.services.operations import first_run
from webapp.services.settings import in_force

bp = Blueprint("sessions", __name__)


@bp.route("/sign-in", methods=["GET", "POST"])
@require(PUBLIC)
def new() -> Answer:
    """The sign-in form; a POST signs in and goes on to the page that was asked for.

    While there is no Owner, it says where to find the set-up link.
    """
    if first_run.is_waiting():
        return render_template("operations/first_run/waiting.html")
    asked = request.args.get("next")
    if g.user and request.method == "GET":
        return redirect_to("dashboard.index", back=asked)
    form = SignInForm(data={"next": safe_next(asked)})
    problem = g.get("refusal", "")
    if form.validate_on_submit():
        account = sessions.account_key(form.email.data)
        try:
            with limit_tries(account, Limit.SIGN_IN, f"sign-in as {account}"):
                user = sessions.sign_in(form.email.data, form.password.data)
            return continue_sign_in(user, form.next.data)
        except EntryRefusedError as refusal:
            problem = explain_trouble(refusal)
        except RuleViolationError as refusal:
            problem = str(refusal)
    is_over = request.method == "GET" and "sid" in session
    return form_page("accounts/sessions/new.html", form, problem=problem, ended=is_over)


@bp.route("/sign-in/code", methods=["GET", "POST"])
@require(PUBLIC)
def second() -> Answer:
    """The second step: a POST signs in with a code from the app, or a recovery code.

    Those who have not passed the first step, or took too long, start again.
    """
    *ticket, target = session.get("half_way") or (0, 0.0, "", None)
    user = two_factor.pending_user(*ticket)
    if user is None:
        late = "That took too long. Sign in again." if request.method == "POST" else None
        return redirect_to("sessions.new", say=late)
    form = CodeForm()
    if form.validate_on_submit():
        try:
            with limit_tries(str(user.id), Limit.CODE, "second step"):
                two_factor.check_code(user, form.code.data)
            start_session(user)
            return redirect_to("dashboard.index", back=target)
        except RuleViolationError as refusal:
            show_errors(form, refusal)
    return form_page("accounts/sessions/second.html", form)


@bp.get("/sign-out")
@require(PUBLIC)
def leave() -> Answer:
    """Where people are once signed out, while the proxy in front still names them: it leads on to the proxy's own sign-out."""
    if g.user:
        return redirect_to("dashboard.index")
    address = in_force.environment().proxy_sign_out_url
    answer = make_response(render_template("accounts/sessions/leave.html", address=address))
    if address:
        answer.headers["Refresh"] = f"0; url={address}"
    return answer


@bp.post("/sign-out")
@require(SIGNED_IN)
def delete() -> Answer:
    """Sign out."""
    is_named = g.via is Door.PROXY
    sessions.end_sessions(current_user(), current_user(), only=g.session_id)
    clear_session()
    answer = redirect_to("sessions.new", say="You are signed out.")
    if is_named:  # at the sign-in one would be in again at once
        answer = redirect_to("sessions.leave")
    # pages that a browser still holds; the cookie ended on the server
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer
