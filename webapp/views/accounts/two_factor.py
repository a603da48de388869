"""Two-step sign-in: setting it up, recovery codes, turning it off; and who must have it."""

from __future__ import annotations

import secrets

import segno
from flask import Blueprint, g, render_template, request, session, url_for

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.http.auth import check_password, limit_tries, renew_session
from webapp.http.forms import SecondFactorForm, form_page, show_errors
from webapp.http.questions import ask
from webapp.http.rate_limits import Limit
from webapp.http.web import SIGNED_IN, Answer, current_user, redirect_to, require
from webapp.models import Door
from webapp.services.accounts import two_factor

bp = Blueprint("two_factor", __name__)

BOTH = ["GET", "POST"]
FREE = {"two_factor.show", "sessions.delete", "static", "health.show"}
"""What who still owes a second factor may call."""


def demand() -> Answer | None:
    """Before every request: who must have a second factor and has none sets it up first (MUSTER_REQUIRE_TOTP)."""
    if g.via is not Door.PASSWORD:  # the provider, or the proxy, asks for what it wants
        return None
    if not g.user or g.token or request.endpoint in FREE or not two_factor.must_enrol(g.user):
        return None
    return redirect_to("two_factor.show", does="on")


@bp.route("/account/second-factor", methods=BOTH, defaults={"does": "on"})
@bp.post("/account/second-factor/codes", defaults={"does": "codes"})
@bp.post("/account/second-factor/removal", defaults={"does": "off"})
@require(SIGNED_IN)
def show(does: str) -> Answer:
    """The QR code to set it up with; or, where it is on, recovery codes and the way out.

    A POST turns it on by the first code of the app, makes new recovery codes, or turns it off, by password and code. The
    answer shows recovery codes, this once.
    """
    me = current_user()
    form = SecondFactorForm()
    if not form.validate_on_submit():
        return page(form)
    code = form.code.data
    try:
        with limit_tries(str(me.id), Limit.CODE, "second step"):
            if does == "on":
                codes = two_factor.turn_on(me, salt(), code)
            elif does == "codes":
                codes = two_factor.renew_codes(me, code)
            else:
                two_factor.turn_off(me, code)
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return page(form)
    session.pop("totp_salt", None)
    renew_session()
    if does == "off":
        return redirect_to("profile.show", say="Two-step sign-in is off.")
    return render_template("accounts/two_factor/codes.html", codes=codes, first=does == "on")


@bp.route("/users/<int:user_id>/second-factor/removal", methods=BOTH)
@require(Permission.USERS_MANAGE)
def reset(user_id: int) -> Answer:
    """Ask first, then turn two-step sign-in off for a user ranked below; costs the current user's password."""
    user = two_factor.get_protected_user(user_id, current_user())
    problem = ""
    if request.method == "POST":
        try:
            check_password(request.form.get("password", ""))
            two_factor.reset(user_id, current_user())
            said = f"Two-step sign-in of {user.name} is off. Their password alone signs them in."
            return redirect_to("people_list.index", say=said, back=request.form.get("next"))
        except RuleViolationError as refusal:
            problem = str(refusal)
    return ask(
        asks=f"Turn off two-step sign-in of {user.name}?",
        tells="Their password alone signs them in until they set it up again.",
        does="Turn off two-step sign-in",
        home=url_for("person.show", user_id=user_id),
        proof="It makes their account easier to get into. Your password shows that it is you.",
        problem=problem,
        status=422 if problem else 200,
    )


def page(form: SecondFactorForm) -> Answer:
    """What there is to set up, or to change. The salt of a new secret waits in the cookie: a GET writes nothing."""
    me = current_user()
    if me.has_second_factor:
        left = two_factor.codes_left(me)
        return form_page("accounts/two_factor/on.html", form, left=left)
    qr = segno.make(two_factor.otpauth_address(me, salt()), error="m")
    return form_page(
        "accounts/two_factor/off.html",
        form,
        picture=qr.svg_data_uri(dark="#000", light="#fff", border=3),
        secret=two_factor.secret(me, salt()),
        owed=two_factor.must_enrol(me),
    )


def salt() -> str:
    """What the secret that is being set up is derived from."""
    return str(session.setdefault("totp_salt", secrets.token_hex(16)))
