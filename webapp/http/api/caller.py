"""Who calls: a person by their cookie; below /api/ a program, by its bearer token alone."""

from __future__ import annotations

from flask import Response, g, request

from webapp.core.errors import RateLimitError, TooManyTriesError, UnauthorizedError
from webapp.http import auth, rate_limits
from webapp.http.rate_limits import BY_TOKEN, MINUTES
from webapp.http.web import is_api, peer, run_after_response
from webapp.services.accounts import tokens


class TooManyCallsError(RateLimitError):
    """A token was used too often within the minute. It is no refusal for the audit log."""

    refusal = ""


def load_caller() -> None:
    """Before every request: set `g.user`, and `g.token` below /api/, where no cookie counts."""
    g.allowance = None
    if is_api():
        _load_token()
    else:
        auth.load_user()


def _load_token() -> None:
    auth.forget_user()
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if not kind:
        return  # `check_permission` says what is missing
    token = tokens.find_token(given.strip()) if kind.lower() == "bearer" else None
    if token is None:
        _refuse()
        return
    g.allowance = rate_limits.count_call(token.id)
    if g.allowance.left < 0:
        raise TooManyCallsError(f"A token may make {BY_TOKEN} calls a minute. Go on in a moment.")
    g.token = token
    g.user = token.user
    g.user.scope = frozenset(token.permissions)
    if tokens.is_use_old(token):
        run_after_response(tokens.note_use, token.id)


def _refuse() -> None:
    """Refuse a token that does not work. Trying many is answered with 429; tokens that work still do from there."""
    auth.record_refusal("token.refused", what="(API token)")
    if rate_limits.hit_wrong_token(peer()):
        raise TooManyTriesError(f"Many wrong tokens came from here. Wait {MINUTES} minutes.")
    raise UnauthorizedError("This token is wrong, expired or revoked.")


def say_allowance(response: Response) -> Response:
    """After every request of a program: say how many more it may make in this minute."""
    allowance = g.get("allowance")
    if allowance:
        left = max(0, allowance.left)
        response.headers["RateLimit-Policy"] = f'"token";q={BY_TOKEN};w=60'
        response.headers["RateLimit"] = f'"token";r={left};t={allowance.seconds}'
        if allowance.left < 0:
            response.headers["Retry-After"] = str(allowance.seconds)
    return response
