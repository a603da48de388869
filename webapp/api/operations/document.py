"""The document of the API (OpenAPI 3.1), made from what the routes say of themselves."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify

from webapp.http.api.openapi import make_document
from webapp.http.web import PUBLIC, Answer, require

bp = Blueprint("api_document", __name__, url_prefix="/api/v1")


@bp.get("/openapi.json")
@require(PUBLIC)
def show() -> Answer:
    """The document."""
    return jsonify(make_document(current_app))
