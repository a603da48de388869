"""The page that shows people the API's document."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template

from webapp.core.security.permissions import MEANINGS
from webapp.http.api.openapi import make_document
from webapp.http.web import SIGNED_IN, require

bp = Blueprint("api", __name__)


@bp.get("/api")
@require(SIGNED_IN)
def show() -> str:
    """What programs can do, route by route."""
    document = make_document(current_app)
    schemas: dict[str, Any] = document["components"]["schemas"]
    return render_template(
        "operations/api.html",
        document=document,
        schemas=schemas,
        words=MEANINGS,
        name_type=name_type,
    )


def name_type(schema: dict[str, Any]) -> str:
    """A JSON Schema in a few words: "text", "list of Row", "reviewing or queued"."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(name_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(
            "nothing" if each is None else str(each) or "“”" for each in schema["enum"]
        )
    if schema.get("type") == "array":
        return f"list of {name_type(schema['items'])}"
    kinds = schema.get("type", "anything")
    return ", ".join(kinds) if isinstance(kinds, list) else str(kinds)
