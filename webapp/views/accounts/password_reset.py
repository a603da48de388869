"""Forgotten passwords: asking for a link, and the page behind it."""

from __future__ import annotations

from flask import Blueprint, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.http import rate_limits
from webapp.http.auth import (
    account_of,
    answer_dead_link,
    check_given_password,
    device_of,
    label_account,
    refuse_try,
)
from webapp.http.forms import ForgottenForm, NewPasswordForm
from webapp.http.questions import Question, ask
from webapp.http.rate_limits import Limit
from webapp.http.web import (
    PUBLIC,
    Page,
    current_user,
    peer,
    redirect_to,
    require,
    run_after_response,
)
from webapp.models import LinkPurpose
from webapp.services.accounts import password_reset
from webapp.services.links import account_links

bp = Blueprint("password_reset", __name__)


@bp.get("/password-resets/new")
@require(PUBLIC)
def new() -> str:
    """The form that asks for an e-mail address."""
    return render_template("accounts/password_reset/new.html", form=ForgottenForm(formdata=None))


@bp.post("/password-resets")
@require(PUBLIC)
def create() -> Page:
    """Ask for a link. The answer is the same for every address; those that exist get their e-mail after it."""
    form = ForgottenForm()
    if not form.validate():
        return render_template("accounts/password_reset/new.html", form=form), 422
    account = account_of(form.email.data)
    tries = rate_limits.hit(account, peer(), Limit.RESET, device_of(account))
    if tries.again_at:
        return refuse_try(
            form,
            "accounts/password_reset/new.html",
            tries,
            "password reset",
            f"for {label_account(account)}",
        )
    run_after_response(password_reset.ask, form.email.data, peer())
    validity = account_links.validity(LinkPurpose.RESET)
    return render_template(
        "accounts/password_reset/asked.html", email=form.email.data.strip(), validity=validity
    )


@bp.get("/password-resets/<token>")
@require(PUBLIC)
def show(token: str) -> Page:
    """The page behind the link. Opening it changes nothing: mail scanners open links."""
    user = password_reset.user_of(token)
    if user is None:
        return dead_link_page()
    return render_template(
        "accounts/password_reset/show.html",
        form=NewPasswordForm(formdata=None).of(user.name, user.email),
        token=token,
    )


@bp.post("/password-resets/<token>")
@require(PUBLIC)
def use(token: str) -> Page | BaseResponse:
    """Choose the new password; then one signs in with it."""
    user = password_reset.user_of(token)
    if user is None:
        return dead_link_page()
    form = NewPasswordForm().of(user.name, user.email)
    if not form.validate():
        return render_template("accounts/password_reset/show.html", form=form, token=token), 422
    try:
        password_reset.use(token, form.password.data)
    except ConflictError:
        return dead_link_page()
    return redirect_to("sessions.new", say="Your password is changed. Sign in with it.")


def dead_link_page() -> Page:
    """The page for a link that does not work."""
    return answer_dead_link(
        "a link to reset a password", (render_template("accounts/password_reset/gone.html"), 410)
    )


@bp.get("/users/<int:user_id>/reset-link")
@require(Permission.USERS_MANAGE)
def handing_over(user_id: int) -> tuple[str, int]:
    """The question before a link is made."""
    return link_question(user_id)


@bp.post("/users/<int:user_id>/reset-link")
@require(Permission.USERS_MANAGE)
def hand_over(user_id: int) -> str | tuple[str, int]:
    """Make a reset link for a user ranked below, without a mail server; shown once."""
    password_reset.in_need(user_id, current_user())
    try:
        link = password_reset.make_link(
            user_id, current_user(), proven=check_given_password("No link was made.")
        )
    except RuleViolationError as refusal:
        return link_question(user_id, str(refusal), refusal.status)
    validity = account_links.validity(link.purpose)
    return render_template(
        "accounts/password_reset/link.html",
        address=account_links.link_url(link),
        user=link.user,
        validity=validity,
    )


def link_question(user_id: int, problem: str = "", status: int = 200) -> tuple[str, int]:
    """The question, after a wrong password with what was wrong."""
    user, validity = (
        password_reset.in_need(user_id, current_user()),
        account_links.validity(LinkPurpose.RESET),
    )
    question = Question(
        asks=f"Make a reset link for {user.name}?",
        tells=f"Anyone with it can choose their password. It is shown once and works for {validity}. Earlier ones end.",
        does="Make reset link",
        keeps="Cancel",
        home=url_for("person.show", user_id=user_id),
        is_bad=False,
        proof="This person manages users. Your password shows that it is you."
        if user.may(Permission.USERS_MANAGE)
        else "",
    )
    return ask(question, problem, status)
