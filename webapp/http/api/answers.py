"""Answers for programs: JSON with its tag, and pages of lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from flask import Response, request, url_for
from marshmallow import Schema

from webapp.http.api.requests import JSON


def answer(
    schema: type[Schema],
    values: Any,
    status: int = 200,
    *,
    location: str = "",
    tag: str | None = None,
    exact_tag: str = "",
) -> Response:
    """Values as JSON.

    tag: the beginning of the ETag, which the content ends: without news a GET gets 304. None: no such ETag. exact_tag: the
    whole of one that stands for a part of the content.
    """
    body = json.dumps(schema().dump(values), ensure_ascii=False).encode()
    response = Response(body, status, content_type=JSON)
    if location:
        response.headers["Location"] = location
    if exact_tag:
        response.set_etag(exact_tag)
    if tag is not None:
        response.set_etag(tag + hashlib.sha256(body).hexdigest()[:16])
        if request.method == "GET":
            response.make_conditional(request)
    return response


def page(
    schema: type[Schema],
    name: str,
    found: Sequence[Any],
    following: int | None,
    over: str = "after",
) -> Response:
    """A page of a list. following: what to go on from, None at its end; over: what the query calls that."""
    address = None
    if following is not None:
        address = here(**{over: following})
    response = answer(schema, {name: found, "next": address})
    if address:
        response.headers["Link"] = f'<{address}>; rel="next"'
    return response


def here(**changed: Any) -> str:
    """This address with another part of the query."""
    query = request.args.to_dict() | changed
    return url_for(str(request.endpoint), **(request.view_args or {}), **query)


def nothing() -> Response:
    """Done, and there is nothing to say."""
    return Response(status=204)
