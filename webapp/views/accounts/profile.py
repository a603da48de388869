"""One's own account: name, e-mail, password, two-step sign-in, and where one is signed in."""

from __future__ import annotations

from flask import Blueprint, g, render_template, request, url_for
from flask_wtf import FlaskForm

from webapp.core.errors import RuleViolationError
from webapp.core.text.formatting import plural
from webapp.http import proxy
from webapp.http.auth import renew_session
from webapp.http.forms import OwnEmailForm, OwnNameForm, OwnPasswordForm, ProofForm, show_errors
from webapp.http.questions import ask
from webapp.http.sso import allow_connecting, may_connect
from webapp.http.web import SIGNED_IN, Answer, current_user, redirect_to, require
from webapp.models import LinkPurpose
from webapp.services.accounts import profile, sessions, sso, two_factor
from webapp.services.links import account_links

bp = Blueprint("profile", __name__)


@bp.get("/account")
@require(SIGNED_IN)
def show() -> Answer:
    """The page of one's own account."""
    return page()


@bp.post("/account/name")
@require(SIGNED_IN)
def rename() -> Answer:
    """Change one's name."""
    form = OwnNameForm()
    if not form.validate():
        return page(name_form=form)
    profile.rename(current_user(), form.name.data)
    return redirect_to("profile.show", say="Your name is changed.")


@bp.post("/account/password")
@require(SIGNED_IN)
def change_password() -> Answer:
    """Change one's password; other devices are signed out."""
    form = OwnPasswordForm(obj=current_user())
    if not form.validate():
        return page(password_form=form)
    profile.change_password(current_user(), form.password.data, g.session_id)
    renew_session()
    said = "Your password is changed. Other devices are signed out."
    return redirect_to("profile.show", say=said)


@bp.post("/account/email")
@require(SIGNED_IN)
def ask_for_email() -> Answer:
    """Request a new e-mail: a link goes to the new address."""
    form = OwnEmailForm()
    if not form.validate():
        return page(email_form=form)
    profile.ask_for_email(current_user(), form.address)
    renew_session()
    said = f"Now open the link in the email to {form.address.display}."
    return redirect_to("profile.show", say=said)


@bp.post("/account/email/withdrawal")
@require(SIGNED_IN)
def withdraw_email() -> Answer:
    """Cancel the requested change of the e-mail."""
    profile.withdraw_email(current_user())
    return redirect_to("profile.show", say="Your email stays as it is.")


@bp.route("/account/sessions/end", methods=["GET", "POST"], defaults={"session_id": None})
@bp.post("/account/sessions/<int:session_id>/end")
@require(SIGNED_IN)
def end_sessions(session_id: int | None) -> Answer:
    """Sign out on one other device, or, after a question, on all others."""
    if request.method == "GET":
        return ask(
            asks="Sign out everywhere else?",
            tells="Your other devices have to sign in again.",
            does="Sign out everywhere else",
            keeps="Cancel",
            home=url_for("profile.show"),
            section="account",
            trail=(("Your account", "profile.show"),),
        )
    n = sessions.end_sessions(current_user(), current_user(), g.session_id, session_id)
    return redirect_to("profile.show", say=f"Signed out on {plural(n, 'other device')}.")


@bp.post("/account/identities")
@require(SIGNED_IN)
def connect() -> Answer:
    """Check the password; then the way to the provider is open. An account at the proxy in front is connected at once."""
    form = ProofForm()
    if not form.validate():
        return page(identity_form=form)
    if claims := proxy.read_header():
        sso.connect(current_user(), claims)
        return redirect_to("profile.show", say="The proxy in front signs you in from now on.")
    allow_connecting()
    return redirect_to("profile.show", _anchor="own-identities")


@bp.post("/account/identities/<int:identity_id>/removal")
@require(SIGNED_IN)
def disconnect(identity_id: int) -> Answer:
    """Disconnect an account elsewhere."""
    form = ProofForm()
    if not form.validate():
        return page(identity_form=form)
    try:
        sso.disconnect(current_user(), identity_id)
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return page(identity_form=form)
    return redirect_to("profile.show", say="That account signs you in no longer.")


def page(**forms: FlaskForm) -> Answer:
    """The whole page, with what was typed into a form: `name_form`, `email_form`, `password_form`, `identity_form`."""
    me = current_user()
    context = {
        "name_form": OwnNameForm(formdata=None, obj=me),
        "email_form": OwnEmailForm(formdata=None),
        "password_form": OwnPasswordForm(formdata=None),
        "identity_form": ProofForm(formdata=None),
    }
    html = render_template(
        "accounts/profile/show.html",
        pending=account_links.find_open(me, LinkPurpose.EMAIL),
        codes_left=two_factor.codes_left(me),
        sessions=sessions.list_sessions(me),
        current=g.session_id,
        identities=sso.find_identities(me),
        door_name=sso.name_of,
        may_connect=may_connect(),
        at_proxy=proxy.is_named(),
        **context | forms,
    )
    return html, 422 if forms else 200
