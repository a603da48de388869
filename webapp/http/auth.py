"""Who is signed in: the session cookie, proof by password, and limits on what could be guessed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from flask import g, request, session

from webapp.core.errors import (
    BusyError,
    PasswordRequiredError,
    RateLimitError,
    RuleViolationError,
    TooManyTriesError,
)
from webapp.core.security.tokens import hash_token
from webapp.db import utcnow
from webapp.http import rate_limits
from webapp.http.rate_limits import MINUTES, Limit
from webapp.http.web import (
    Answer,
    current_user,
    peer,
    redirect_to,
    run_after_response,
    safe_next,
)
from webapp.models import Door, User
from webapp.services.accounts import ldap_accounts, sessions, two_factor
from webapp.services.audit.events import count_refusal
from webapp.services.settings import in_force

ANY_HOST = {"static", "health.show", "health.live", "health.figures"}
"""Health checks use any name that their network gives to this machine. Nobody is signed in there."""
UNATTENDED = {"report.joined", "running.progress", "webhooks.answers"}
"""Pages ask for these by themselves: nobody need be there, so they keep no session alive."""
PROVEN = timedelta(minutes=5)
"""How long it counts that somebody signed in at the provider again."""
KNOWN = 5
"""How many accounts a browser is known by: people share one."""


def forget_user() -> None:
    """Begin a request: nobody is known yet."""
    g.user = g.session_id = g.token = g.proven_at = None
    g.via = Door.PASSWORD


def load_user() -> None:
    """Before every request: set `g.user` by the cookie. That they are still here is noted after the answer."""
    forget_user()
    token = None if request.endpoint in ANY_HOST else session.get("sid")
    found = sessions.find_session(token) if token else None
    if found:
        g.user = found.user
        g.user.scope = None  # a person acts
        g.session_id = found.id
        g.via = found.via
        g.proven_at = found.proven_at
        is_attended = request.endpoint not in UNATTENDED
        if is_attended and utcnow() - found.seen_at > sessions.MINUTE:
            run_after_response(sessions.note_activity, found.id)


def start_session(user: User, via: Door = Door.PASSWORD) -> None:
    """Sign this person in on this device. The answer should load a whole page: forms of open pages are no longer valid."""
    if g.user:
        sessions.end_sessions(g.user, g.user, only=g.session_id)
    clear_session()
    session.setdefault("device", secrets.token_hex(8))
    known = [hash_token(user.email_key), *session.get("known", [])]
    session["known"] = list(dict.fromkeys(known))[:KNOWN]
    session["sid"] = sessions.start_session(user, peer(), request.user_agent.string, via)


def renew_session() -> None:
    """Replace the session's token after a change of the password or the like: copies of this cookie stop working."""
    session["sid"] = sessions.renew_token(g.session_id)


def clear_session() -> None:
    """Clear the cookie, except for the browser's id and the accounts that signed in with it."""
    for name in {*session} - {"device", "known"}:
        del session[name]
    session.permanent = True


def continue_sign_in(user: User, target: str | None = None) -> Answer:
    """After the first step: sign in, or go on to the second step. target: the page that was asked for."""
    if user.has_second_factor:
        session["half_way"] = [*two_factor.pending_login(user), safe_next(target)]
        return redirect_to("sessions.second")
    start_session(user)
    return redirect_to("dashboard.index", back=target)


def proves_elsewhere() -> bool:
    """Whether the signed-in person shows at the provider that it is them, not by a password."""
    return g.get("via") is Door.OIDC and bool(in_force.environment().oidc_issuer)


def is_proven() -> bool:
    """Whether the signed-in person did so a moment ago."""
    if not proves_elsewhere() or g.proven_at is None:
        return False
    return bool(utcnow() - g.proven_at < PROVEN)


def explain(refusal: RuleViolationError) -> str:
    """The sentence of a refusal; where it asks for a password, for those who show elsewhere that it is them."""
    if isinstance(refusal, PasswordRequiredError) and proves_elsewhere():
        return f"Confirm with {in_force.environment().oidc_name} first: {refusal.why}"
    return str(refusal)


def check_password(password: str, nothing_done: str = "Nothing was changed.") -> None:
    """Check the signed-in person's own password; counted like a sign-in. Raises RuleViolationError or TooManyTriesError.

    Who signed in at the provider shows there that it is them, and that counts for a while. nothing_done: what did not happen
    where it is wrong, as a sentence.
    """
    if is_proven():
        return
    if proves_elsewhere():
        name = in_force.environment().oidc_name
        raise RuleViolationError(f"Confirm with {name} that it is you, then do it again.")
    if not current_user().has_password and not ldap_accounts.is_on():
        raise RuleViolationError(
            "You have no password here. Choose one: “Forgot password?” on the sign-in page sends a link."
        )
    with limit_tries(current_user().email_key, Limit.SIGN_IN, "own password"):
        sessions.check_own_password(current_user(), password, nothing_done)


def check_given_password(nothing_done: str = "Nothing was changed.") -> bool:
    """Whether the form brings a password, or none is needed. Raises like `check_password` where it is not one's own."""
    if is_proven():
        return True
    password = request.form.get("password", "")
    if password:
        check_password(password, nothing_done)
    return bool(password)


def count_try(account: str, limit: Limit, what: str) -> list[str]:
    """Count a try of something that could be guessed. -> its counters, to take it back. Raises TooManyTriesError.

    what: in the audit log, such as "second step".
    """
    is_known = hash_token(account) in session.get("known", ())
    device = session["device"] if is_known else ""
    counters = rate_limits.hit(account, peer(), limit, device)
    if not counters:
        record_refusal("limit.refused", what)
        raise TooManyTriesError(f"Too many tries. Try again in {MINUTES} minutes.")
    return counters


@contextmanager
def limit_tries(account: str, limit: Limit, what: str) -> Iterator[None]:
    """Count a try as `count_try` does; the block checks it and raises RuleViolationError. A right guess is taken back."""
    counters = count_try(account, limit, what)
    try:
        yield
    except BusyError:  # nothing was checked
        rate_limits.refund(counters)
        raise
    rate_limits.refund(counters)


def answer_dead_link(what: str, page: Answer, is_known: bool = False) -> Answer:
    """Answer a link that does not work, and count it in the audit log. what: the link, in the words of the log.

    is_known: whether it was a link once. Trying many that never were raises RateLimitError; working links still open from there.
    """
    record_refusal("link.refused", what)
    if not is_known and rate_limits.hit_dead_link(peer()):
        raise RateLimitError(
            f"Many links that do not work were opened from here. Wait {MINUTES} minutes, then try again."
        )
    return page


def record_refusal(kind: str, what: str = "") -> None:
    """Have the audit log count a refusal, after the answer. what: "" for the method and path of this request."""
    user = g.get("user")
    what = what or f"{request.method} {request.path}"
    run_after_response(count_refusal, kind, user.id if user else None, what, peer())
