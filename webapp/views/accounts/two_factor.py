"""Two-step sign-in: setting it up, recovery codes, turning it off; and who must have it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import segno
from flask import Blueprint, g, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import PasswordRequiredError, RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.http.auth import check_given_password, limit_tries, renew_session
from webapp.http.forms import SecondFactorForm, show_errors
from webapp.http.questions import Question, ask
from webapp.http.rate_limits import Limit
from webapp.http.web import SIGNED_IN, Page, current_user, redirect_to, require
from webapp.services.accounts import two_factor

bp = Blueprint("two_factor", __name__)

FREE = {"two_factor.show", "two_factor.create", "sessions.delete", "static", "health.show"}
"""What who still owes a second factor may call."""


def demand() -> BaseResponse | None:
    """Before every request: who must have a second factor and has none sets it up first (MUSTER_REQUIRE_TOTP)."""
    if not g.user or request.endpoint in FREE or not two_factor.must_enrol(g.user):
        return None
    return redirect_to("two_factor.show")


@bp.get("/account/second-factor")
@require(SIGNED_IN)
def show() -> Page:
    """The QR code to set it up with; or, where it is on, recovery codes and the way out."""
    return page(SecondFactorForm(formdata=None))


@bp.post("/account/second-factor", defaults={"first": True})
@bp.post("/account/second-factor/codes", defaults={"first": False})
@require(SIGNED_IN)
def create(first: bool) -> Page:
    """Turn it on by the first code of the app, or make new recovery codes. The answer shows the codes, this once."""
    form = SecondFactorForm()
    try:
        with run_behind_code(form):
            if first:
                codes = two_factor.turn_on(current_user(), salt(), form.code.data)
            else:
                codes = two_factor.renew_codes(current_user(), form.code.data)
    except RuleViolationError as refusal:
        return page(form, refusal.status)
    session.pop("totp_salt", None)
    renew_session()
    return render_template("accounts/two_factor/codes.html", codes=codes, first=first)


@bp.post("/account/second-factor/removal")
@require(SIGNED_IN)
def turn_off() -> Page | BaseResponse:
    """Turn it off, by password and code."""
    form = SecondFactorForm()
    try:
        with run_behind_code(form):
            two_factor.turn_off(current_user(), form.code.data)
    except RuleViolationError as refusal:
        return page(form, refusal.status)
    renew_session()
    return redirect_to("profile.show", say="Two-step sign-in is off.")


@bp.route("/users/<int:user_id>/second-factor/removal", methods=["GET", "POST"])
@require(Permission.USERS_MANAGE)
def reset(user_id: int) -> Page | BaseResponse:
    """Ask first, then turn two-step sign-in off for a user ranked below; costs the current user's password."""
    user = two_factor.get_protected_user(user_id, current_user())
    question = Question(
        asks=f"Turn off two-step sign-in of {user.name}?",
        tells="Their password alone signs them in until they set it up again.",
        does="Turn off two-step sign-in",
        home=url_for("person.show", user_id=user_id),
        proof="It makes their account easier to get into. Your password shows that it is you.",
    )
    if request.method == "GET":
        return ask(question)
    try:
        if not check_given_password():
            raise PasswordRequiredError("Type your password. Two-step sign-in stays on.")
    except RuleViolationError as refusal:
        return ask(question, str(refusal), refusal.status)
    user = two_factor.reset(user_id, current_user())
    return redirect_to(
        "people_list.index",
        say=f"Two-step sign-in of {user.name} is off. Their password alone signs them in.",
        back=request.form.get("next"),
        acted=f"user-{user_id}",
    )


@contextmanager
def run_behind_code(form: SecondFactorForm) -> Iterator[None]:
    """Run the block behind password and code. Raises RuleViolationError, with the sentence under its field."""
    if not form.validate():
        raise RuleViolationError("The form is not complete.")
    try:
        with limit_tries(str(current_user().id), Limit.CODE, "second step"):
            yield
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        raise


def page(form: SecondFactorForm, status: int = 200) -> tuple[str, int]:
    """What there is to set up, or to change. The salt of a new secret waits in the cookie: a GET writes nothing."""
    if current_user().has_second_factor:
        html = render_template(
            "accounts/two_factor/on.html", form=form, left=two_factor.codes_left(current_user())
        )
        return html, status
    qr = segno.make(two_factor.otpauth_address(current_user(), salt()), error="m")
    picture = qr.svg_data_uri(dark="#000", light="#fff", border=3)
    secret, owed = two_factor.secret(current_user(), salt()), two_factor.must_enrol(current_user())
    return render_template(
        "accounts/two_factor/off.html", form=form, picture=picture, secret=secret, owed=owed
    ), status


def salt() -> str:
    """What the secret that is being set up is derived from."""
    return str(session.setdefault("totp_salt", secrets.token_hex(16)))
