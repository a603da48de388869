"""One's own API tokens."""

from __future__ import annotations

from flask import Blueprint, request, url_for

from webapp.http.questions import ask
from webapp.http.token_page import make_token, token_page
from webapp.http.web import SIGNED_IN, Answer, current_user, redirect_to, require
from webapp.services.accounts import tokens

bp = Blueprint("tokens", __name__, url_prefix="/account/tokens")

PAGE = "accounts/tokens/show.html"


@bp.get("")
@require(SIGNED_IN)
def show() -> Answer:
    """One's tokens, and the form for another."""
    return token_page(PAGE, current_user())


@bp.post("")
@require(SIGNED_IN)
def create() -> Answer:
    """Make a token; the answer shows it, this once."""
    return make_token(PAGE, current_user())


@bp.get("/<int:token_id>/revocation")
@bp.post("/<int:token_id>/revocation")
@require(SIGNED_IN)
def revoke(token_id: int) -> Answer:
    """The question before a token is revoked; a POST revokes it."""
    if request.method == "POST":
        name = tokens.revoke(token_id, current_user(), current_user())
        return redirect_to("tokens.show", say=f"“{name}” is revoked.")
    token = tokens.get_token(token_id, current_user())
    return ask(
        asks=f"Revoke “{token.name}”?",
        tells="A program that uses it is refused at once. It cannot be brought back.",
        does="Revoke",
        keeps="Keep it",
        home=url_for("tokens.show"),
        section="account",
        trail=(("Your account", "profile.show"), ("API tokens", "tokens.show")),
    )
