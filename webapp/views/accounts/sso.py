"""Signing in with an account elsewhere: to the provider and back, connecting one's account, and showing who one is."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, g, render_template, request, session, url_for

from webapp.core.errors import ProviderError, RuleViolationError
from webapp.core.plan.claims import Claims
from webapp.core.security.permissions import Permission
from webapp.http import proxy, sso
from webapp.http.auth import check_password, renew_session
from webapp.http.questions import ask
from webapp.http.sso import Purpose
from webapp.http.web import (
    PUBLIC,
    SIGNED_IN,
    Answer,
    current_user,
    redirect_to,
    require,
    safe_next,
)
from webapp.services.accounts import sso as accounts
from webapp.services.accounts.sso import EntryRefusedError

bp = Blueprint("sso", __name__)


@bp.get("/sign-in/sso")
@require(PUBLIC)
def begin() -> Answer:
    """Go on to the provider, or in by the proxy's header.

    `next`: the page to end at. `invitation`: the token of the one to accept.
    """
    target = safe_next(request.args.get("next"))
    invitation = request.args.get("invitation", "")
    try:
        if claims := proxy.read_header():
            return sso.enter(claims, target, invitation)
    except EntryRefusedError as refusal:
        return trouble_page(refusal)
    return go(Purpose.SIGN_IN, next=target, invitation=invitation)


@bp.get("/sign-in/sso/proof")
@require(SIGNED_IN)
def prove() -> Answer:
    """Go to the provider to sign in there once more: it stands for the password for five minutes."""
    return go(Purpose.PROVE, user=current_user().id)


@bp.get("/sign-in/sso/trial")
@require(Permission.ORGANISATION_MANAGE)
def try_it() -> Answer:
    """Go to the provider to see what it says; nothing is changed."""
    return go(Purpose.TRY, user=current_user().id)


@bp.get("/account/identities/new")
@require(SIGNED_IN)
def connect() -> Answer:
    """Go to the provider to connect one's account there, after the password."""
    if not sso.may_connect():
        return redirect_to("profile.show")
    return go(Purpose.CONNECT, user=current_user().id)


def go(purpose: Purpose, **kept: Any) -> Answer:
    """The redirect to the provider, or what is wrong with it."""
    try:
        return sso.leave(purpose, **kept)
    except ProviderError as error:
        return trouble_page(error)


@bp.get("/sign-in/sso/callback")
@require(PUBLIC)
def callback() -> Answer:
    """Where the provider leads back to."""
    try:
        flow, raw = sso.come_back()
        claims = sso.claims_of(raw)
        if flow["purpose"] == Purpose.SIGN_IN:
            return sso.enter(claims, sso.target_of(flow), flow["invitation"])
        if not g.user or g.user.id != flow["user"]:
            return redirect_to("sessions.new")
        return finish(flow["purpose"], claims, raw)
    except (EntryRefusedError, ProviderError) as error:
        return trouble_page(error)


def finish(purpose: str, claims: Claims, raw: dict[str, Any]) -> Answer:
    """What somebody signed in went to the provider for."""
    if purpose == Purpose.TRY:
        return trial_page(claims, raw)
    if purpose == Purpose.PROVE:
        moment = raw.get("auth_time")
        signed_in_at = moment if isinstance(moment, int) else None
        accounts.prove(current_user(), g.session_id, claims, signed_in_at)
        return render_template("accounts/sso/proven.html")
    if not sso.may_connect():
        return redirect_to("profile.show")
    return connected(claims)


@bp.route("/users/<int:user_id>/identities/removal", methods=["GET", "POST"])
@require(Permission.USERS_MANAGE)
def reset(user_id: int) -> Answer:
    """Ask first, then disconnect the account elsewhere of a user ranked below; costs the current user's password."""
    user = accounts.get_connected_user(user_id, current_user())
    problem = ""
    if request.method == "POST":
        try:
            check_password(request.form.get("password", ""))
            accounts.reset(user_id, current_user())
            said = f"{user.name} is disconnected. The next account with their email is connected."
            return redirect_to("person.show", user_id=user_id, say=said)
        except RuleViolationError as refusal:
            problem = str(refusal)
    return ask(
        asks=f"Disconnect the account elsewhere of {user.name}?",
        tells="They are signed out. The next person who signs in with their verified email is taken for them.",
        does="Disconnect",
        home=url_for("person.show", user_id=user_id),
        proof="It decides who gets into their account. Your password shows that it is you.",
        problem=problem,
        status=422 if problem else 200,
    )


def connected(claims: Claims) -> Answer:
    """Connect the account elsewhere. Other copies of the cookie stop working."""
    accounts.connect(current_user(), claims)
    session.pop("connecting", None)
    renew_session()
    said = f"You can sign in with {accounts.name_of(claims.issuer)} from now on."
    return redirect_to("profile.show", say=said)


def trial_page(claims: Claims, raw: dict[str, Any]) -> str:
    """What the provider said, and what Muster would make of it."""
    trial = accounts.try_claims(claims)
    names = sorted(name for name in raw if not name.startswith("_"))
    return render_template("accounts/sso/trial.html", claims=claims, trial=trial, names=names)


def trouble_page(trouble: EntryRefusedError | ProviderError) -> Answer:
    """Say why it did not work, and the ways on."""
    sentence = sso.explain_trouble(trouble)
    return render_template("accounts/sso/trouble.html", sentence=sentence, code=trouble.code), 422
