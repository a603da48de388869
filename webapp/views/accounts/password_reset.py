"""Asking for a link to reset the password, making one for another user, and the pages behind all links to an account."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request, url_for

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.http.auth import (
    answer_dead_link,
    check_given_password,
    continue_sign_in,
    count_try,
    explain,
    renew_session,
)
from webapp.http.forms import ForgottenForm, NewPasswordForm, OwnerLinkForm, form_page
from webapp.http.questions import ask
from webapp.http.rate_limits import Limit
from webapp.http.web import (
    PUBLIC,
    Answer,
    current_user,
    peer,
    redirect_to,
    require,
    run_after_response,
)
from webapp.models import LinkPurpose
from webapp.services.accounts import password_reset, sessions
from webapp.services.links import account_links

bp = Blueprint("password_reset", __name__)

BOTH = ["GET", "POST"]


@bp.route("/password-resets/new", methods=BOTH)
@require(PUBLIC)
def new() -> Answer:
    """Ask for a link. The answer is the same for every address; those that exist get their e-mail after it."""
    form = ForgottenForm()
    if not form.validate_on_submit():
        return form_page("accounts/password_reset/new.html", form)
    account = sessions.account_key(form.email.data)
    count_try(account, Limit.RESET, f"password reset for {account}")
    run_after_response(password_reset.ask, form.email.data, peer())
    validity = account_links.validity(LinkPurpose.RESET)
    return render_template(
        "accounts/password_reset/asked.html", email=form.email.data.strip(), validity=validity
    )


@bp.route("/password-resets/<token>", methods=BOTH, defaults={"purpose": LinkPurpose.RESET})
@bp.route("/email-changes/<token>", methods=BOTH, defaults={"purpose": LinkPurpose.EMAIL})
@bp.route("/owner-links/<token>", methods=BOTH, defaults={"purpose": LinkPurpose.SIGN_IN})
@require(PUBLIC)
def use(token: str, purpose: LinkPurpose) -> Answer:
    """The page behind the link. Opening it changes nothing: mail scanners open links. A POST does what the link is for.

    The Owner is signed in at once, or asked for the second factor.
    """
    link = password_reset.find_link(token, purpose)
    if link is None:
        return dead_link_page(purpose)
    kind = NewPasswordForm if purpose is LinkPurpose.RESET else OwnerLinkForm
    form = kind(obj=link.user)
    if not form.validate_on_submit():
        return form_page(f"accounts/password_reset/{purpose}.html", form, link=link)
    try:
        user = password_reset.use(token, purpose, form.password.data or "")
    except ConflictError:
        return dead_link_page(purpose)
    if purpose is LinkPurpose.SIGN_IN:
        return continue_sign_in(user)
    if purpose is LinkPurpose.RESET:
        return redirect_to("sessions.new", say="Your password is changed. Sign in with it.")
    if g.user == user:
        renew_session()
    return redirect_to("sessions.new", say=f"Your email is {user.email} now. Sign in with it.")


def dead_link_page(purpose: LinkPurpose) -> Answer:
    """The page for a link that does not work."""
    page = render_template("accounts/password_reset/gone.html", purpose=purpose.value), 410
    return answer_dead_link(f"a link ({purpose.value})", page)


@bp.route("/users/<int:user_id>/reset-link", methods=BOTH)
@require(Permission.USERS_MANAGE)
def hand_over(user_id: int) -> Answer:
    """Ask first, then make a reset link for a user ranked below, without a mail server; shown once."""
    user = password_reset.in_need(user_id, current_user())
    validity = account_links.validity(LinkPurpose.RESET)
    problem = ""
    if request.method == "POST":
        try:
            proven = check_given_password()
            link = password_reset.make_link(user_id, current_user(), proven=proven)
            address = account_links.link_url(link)
            return render_template(
                "accounts/password_reset/link.html", address=address, user=user, validity=validity
            )
        except RuleViolationError as refusal:
            problem = explain(refusal)
    why = "This person manages users. Your password shows that it is you."
    return ask(
        asks=f"Make a reset link for {user.name}?",
        tells=f"Anyone with it can choose their password. It is shown once and works for {validity}. Earlier ones end.",
        does="Make reset link",
        keeps="Cancel",
        home=url_for("person.show", user_id=user_id),
        is_harmless=True,
        proof=why if user.may(Permission.USERS_MANAGE) else "",
        problem=problem,
        status=422 if problem else 200,
    )
