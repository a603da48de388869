"""The way to an account elsewhere and back, and the people whom a proxy in front has signed in."""

from __future__ import annotations

import secrets
import time
from enum import StrEnum
from typing import Any

from flask import current_app, g, request, session

from webapp.core.errors import NotFoundError, ProviderError
from webapp.core.plan.claims import Claims, read_claims
from webapp.core.text.entry_phrases import describe_refusal
from webapp.http import proxy
from webapp.http.auth import ANY_HOST, record_refusal, start_session
from webapp.http.web import PUBLIC, Answer, is_api, is_fragment, redirect_to, safe_next
from webapp.models import Door
from webapp.services.accounts import sso
from webapp.services.accounts.sso import EntryRefusedError
from webapp.services.settings import in_force

CALLBACK = "/sign-in/sso/callback"
AT_ONCE = 4
"""Ways to the provider that one browser may have begun: the cookie holds no more."""
STATE = "_state_muster_"
"""How Authlib's names in the cookie begin."""
CONNECTING = 600
"""Seconds after the password in which an account may be connected."""


class Purpose(StrEnum):
    """Why somebody goes to the provider."""

    SIGN_IN = "sign in"
    CONNECT = "connect"
    PROVE = "prove"
    """To show that it is them."""
    TRY = "try"
    """To see what it says; nothing is changed."""


def leave(purpose: Purpose, **kept: Any) -> Answer:
    """The redirect to the provider. kept: what is needed when they are back. Raises ProviderError."""
    provider = _provider()
    state = secrets.token_urlsafe(16)
    flow = {"purpose": purpose, **kept}
    flows = [*session.get("sso", []), [state, flow]][-AT_ONCE:]
    session["sso"] = flows
    begun = {STATE + each for each, _ in flows}
    for name in [name for name in session if name.startswith(STATE)]:
        if name not in begun:
            del session[name]
    fresh = {"prompt": "login", "max_age": "0"} if purpose is Purpose.PROVE else {}
    callback = in_force.environment().public_url + CALLBACK
    answer: Answer = provider.leave(callback, state, **fresh)
    return answer


def come_back() -> tuple[dict[str, Any], dict[str, Any]]:
    """What was kept, and what the provider says of who comes back with this request. Raises ProviderError."""
    provider = _provider()
    state = request.args.get("state", "")
    flows = session.get("sso", [])
    session["sso"] = [each for each in flows if each[0] != state]
    for known, flow in flows:
        if known == state:
            return flow, provider.read(_wanted())
    raise ProviderError("late", "no way to the provider was begun in this browser")


def claims_of(raw: dict[str, Any]) -> Claims:
    """What the provider says, as the settings have it read."""
    settings = in_force.environment()
    groups = "" if settings.oidc_groups == "off" else settings.oidc_groups_claim
    return read_claims(raw, sso.issuer_now(), groups, settings.oidc_role_claim)


def enter(claims: Claims, target: str | None, invitation: str = "") -> Answer:
    """Sign somebody in by an account elsewhere. Raises EntryRefusedError."""
    entry = sso.enter(claims, invitation)
    start_session(entry.user, sso.door_of(claims))
    session["subject"] = claims.subject
    if entry.has_joined:
        session["joined"] = True
    return redirect_to("dashboard.index", back=target)


def follow_proxy() -> Answer | None:
    """Before every request: begin a session for whom the proxy in front names; it begins at a page, never at a command.

    A session that began for somebody else at that proxy is over.
    """
    is_elsewhere = request.endpoint in ANY_HOST or is_api()
    if is_elsewhere or not in_force.environment().proxy_email_header:
        return None
    try:
        claims = proxy.read_header()
        if g.via is Door.PROXY and claims and claims.subject != session.get("subject"):
            g.user = g.session_id = None
        if claims is None or g.user or not _begins_here():
            return None
        return enter(claims, request.full_path.rstrip("?"))
    except EntryRefusedError as refusal:
        g.refusal = explain_trouble(refusal)
    return None


def _begins_here() -> bool:
    if request.method != "GET" or is_fragment() or request.endpoint is None:
        return False
    view = current_app.view_functions[request.endpoint]
    is_public = getattr(view, "required", None) == PUBLIC
    return not is_public or request.endpoint == "sessions.new"


def allow_connecting() -> None:
    """Let the signed-in person connect an account for CONNECTING: they have just given their password."""
    session["connecting"] = time.time()


def may_connect() -> bool:
    """Whether the password was given a moment ago, to connect an account."""
    since = session.get("connecting") or 0
    return bool(time.time() - since < CONNECTING)


def explain_trouble(error: ProviderError | EntryRefusedError) -> str:
    """The sentence for it. The audit log counts a refusal, after the answer."""
    if isinstance(error, EntryRefusedError):
        record_refusal("sso.refused", error.label)
        return str(error)
    return describe_refusal(error.code, in_force.environment().oidc_name)


def target_of(flow: dict[str, Any]) -> str | None:
    """The page that was asked for."""
    return safe_next(flow.get("next"))


def _wanted() -> list[str]:
    settings = in_force.environment()
    names = ["email", "name"]
    if settings.oidc_groups != "off":
        names.append(settings.oidc_groups_claim)
    if settings.oidc_role_claim:
        names.append(settings.oidc_role_claim.partition(".")[0])
    return names


def _provider() -> Any:
    settings = in_force.environment()
    if not settings.oidc_issuer:
        raise NotFoundError("There is no single sign-on here.")
    from webapp import oidc  # only here: it costs half a second and 14 MB

    return oidc.find_provider(current_app._get_current_object(), settings)  # type: ignore[attr-defined]
