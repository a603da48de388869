"""The tokens of whom this one acts for."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.http.api import answers
from webapp.http.api.documents import describe
from webapp.http.api.people import person_values
from webapp.http.api.token import current_token
from webapp.http.web import SIGNED_IN, current_user, require
from webapp.schemas.api.people import TokensOutput, UserOutput
from webapp.services.accounts import tokens

bp = Blueprint("api_tokens", __name__, url_prefix="/api/v1")


@bp.get("/me")
@require(SIGNED_IN)
@describe("Whom the token acts for", gives=UserOutput)
def me() -> Response:
    """The user, or the service account, for whom this token acts."""
    return answers.answer(UserOutput, person_values(current_user()))


@bp.get("/tokens")
@require(SIGNED_IN)
@describe("List tokens", gives=TokensOutput)
def index() -> Response:
    """The tokens of that user, expired ones too. Their texts are stored nowhere."""
    found = tokens.list_tokens(current_user())
    values = {"tokens": found, "current": current_token().id}
    return answers.answer(TokensOutput, values)
