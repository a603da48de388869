"""One's own account: name, e-mail, password, two-step sign-in, and where one is signed in."""

from __future__ import annotations

from flask import Blueprint, g, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import ConflictError, RateLimitError, RuleViolationError
from webapp.core.text.devices import device
from webapp.core.text.formatting import plural
from webapp.http.auth import answer_dead_link, record_refusal, renew_session
from webapp.http.forms import OwnEmailForm, OwnNameForm, OwnPasswordForm, show_errors
from webapp.http.questions import Question, ask
from webapp.http.web import PUBLIC, SIGNED_IN, Page, current_user, redirect_to, require
from webapp.models import LinkPurpose
from webapp.services.accounts import profile, sessions, two_factor
from webapp.services.accounts.sessions import Refusal
from webapp.services.links import account_links

bp = Blueprint("profile", __name__)


@bp.get("/account")
@require(SIGNED_IN)
def show() -> Page:
    """The page of one's own account."""
    return page()


@bp.post("/account/name")
@require(SIGNED_IN)
def rename() -> Page | BaseResponse:
    """Change one's name."""
    form = OwnNameForm()
    if not form.validate():
        return page(422, name_form=form)
    profile.rename(current_user(), form.name.data)
    return redirect_to("profile.show", say="Your name is changed.")


@bp.post("/account/password")
@require(SIGNED_IN)
def change_password() -> Page | BaseResponse:
    """Change one's password; other devices are signed out."""
    form = OwnPasswordForm().of(current_user().name, current_user().email)
    if not form.validate():
        return page(422, password_form=form)
    profile.change_password(current_user(), form.password.data, g.session_id)
    renew_session()
    return redirect_to(
        "profile.show", say="Your password is changed. Other devices are signed out."
    )


@bp.post("/account/email")
@require(SIGNED_IN)
def ask_for_email() -> Page | BaseResponse:
    """Request a new e-mail: a link goes to the new address."""
    form = OwnEmailForm()
    if not form.validate():
        return page(422, email_form=form)
    try:
        profile.ask_for_email(current_user(), form.address)
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        if isinstance(refusal, RateLimitError):
            record_refusal(Refusal.LIMIT)
        return page(refusal.status, email_form=form)
    renew_session()
    return redirect_to(
        "profile.show", say=f"Now open the link in the email to {form.address.display}."
    )


@bp.post("/account/email/withdrawal")
@require(SIGNED_IN)
def withdraw_email() -> BaseResponse:
    """Cancel the requested change of the e-mail."""
    profile.withdraw_email(current_user())
    return redirect_to("profile.show", say="Your email stays as it is.")


@bp.get("/email-changes/<token>")
@require(PUBLIC)
def show_email(token: str) -> Page:
    """The page behind the link. Opening it changes nothing: mail scanners open links."""
    link = account_links.find_by_token(token, LinkPurpose.EMAIL)
    if link is None:
        return dead_link_page()
    return render_template("accounts/profile/email.html", link=link, token=token)


@bp.post("/email-changes/<token>")
@require(PUBLIC)
def confirm_email(token: str) -> Page | BaseResponse:
    """Confirm the new address: it takes the place of the old one."""
    try:
        user = profile.confirm_email(token)
    except ConflictError as conflict:
        return dead_link_page(taken=isinstance(conflict, profile.EmailTakenError))
    if g.user and g.user.id == user.id:
        renew_session()
    return redirect_to(
        "profile.show" if g.user else "sessions.new",
        say=f"Your email is {user.email} now. Sign in with it.",
    )


def dead_link_page(taken: bool = False) -> Page:
    """The page for a link that does not work. taken: another person has the address."""
    page = render_template("accounts/profile/email_gone.html", taken=taken), 410
    return answer_dead_link("a link to confirm an email", page, is_known=taken)


@bp.post("/account/sessions/<int:session_id>/end")
@require(SIGNED_IN)
def end_session(session_id: int) -> BaseResponse:
    """Sign out on one other device."""
    ended = sessions.end_sessions(current_user(), current_user(), g.session_id, session_id)
    return redirect_to(
        "profile.show",
        say="That device is signed out." if ended else "That device was signed out already.",
    )


@bp.get("/account/sessions/end")
@require(SIGNED_IN)
def ending_sessions() -> BaseResponse | tuple[str, int]:
    """The question before one is signed out everywhere else."""
    others = len(sessions.list_sessions(current_user())) - 1
    if others < 1:
        return redirect_to("profile.show", say="You are signed in nowhere else.")
    return ask(
        Question(
            asks="Sign out everywhere else?",
            tells=f"{plural(others, 'other device')} {'has' if others == 1 else 'have'} to sign in again.",
            does="Sign out everywhere else",
            keeps="Cancel",
            home=url_for("profile.show"),
            section="account",
            trail=[("Your account", "profile.show")],
        )
    )


@bp.post("/account/sessions/end")
@require(SIGNED_IN)
def end_sessions() -> BaseResponse:
    """Sign out everywhere else."""
    ended = sessions.end_sessions(current_user(), current_user(), g.session_id)
    return redirect_to(
        "profile.show",
        say=f"{plural(ended, 'other device')} {'is' if ended == 1 else 'are'} signed out.",
    )


def page(status: int = 200, **forms: FlaskForm) -> tuple[str, int]:
    """The whole page, with what was typed into one of its forms: `name_form`, `email_form` or `password_form`."""
    me = current_user()
    context = {
        "name_form": OwnNameForm(formdata=None, data={"name": me.name}),
        "email_form": OwnEmailForm(formdata=None),
        "password_form": OwnPasswordForm(formdata=None).of(me.name, me.email),
    }
    html = render_template(
        "accounts/profile/show.html",
        pending=account_links.find_open(me, LinkPurpose.EMAIL),
        codes_left=two_factor.codes_left(me),
        sessions=[(each, device(each.user_agent)) for each in sessions.list_sessions(me)],
        current=g.session_id,
        **context | forms,
    )
    return html, status
