"""The document of the API (OpenAPI 3.1), made from what the routes say of themselves."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from webapp.http.api.openapi import make_document
from webapp.http.web import PUBLIC, require

bp = Blueprint("api_document", __name__, url_prefix="/api/v1")


@bp.get("/openapi.json")
@require(PUBLIC)
def show() -> Response:
    """The document."""
    return current_app.json.response(make_document(current_app))
