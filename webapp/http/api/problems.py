"""Problems: what went wrong, as a program reads it (RFC 9457)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import Response
from marshmallow import ValidationError
from werkzeug.http import HTTP_STATUS_CODES

from webapp import logs
from webapp.core.errors import (
    MusterError,
    NotFoundError,
    PasswordRequiredError,
    RuleViolationError,
)
from webapp.core.files.errors import UnreadableFileError
from webapp.core.text import row_phrases
from webapp.db import db
from webapp.services.batches.confirmation import PlansChangedError, RowsInTheWayError
from webapp.services.batches.single_invite import InviteRefusedError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"
"""Seconds after which a busy Muster is asked again."""
NO_PROOF = (
    "This gives a role that manages people. Make a token that may do so, or do it in the browser."
)

Faults = Sequence[Mapping[str, str]]
"""What is wrong with what was sent: a "pointer" to it (RFC 6901) and a "detail", perhaps a "code"."""


def answer(
    status: int,
    title: str = "",
    detail: str = "",
    *,
    kind: str = "",
    errors: Faults = (),
    **more: Any,
) -> Response:
    """A problem as an answer. kind: its name in docs/api.md, "" where the status says all."""
    body = {
        "type": f"urn:muster:{kind}" if kind else "about:blank",
        "title": title or HTTP_STATUS_CODES.get(status, "Error"),
        "status": status,
        "detail": detail,
        "request": logs.request_id() or "",
        "errors": list(errors),
        **more,
    }
    response = Response(json.dumps(body), status, content_type=MEDIA_TYPE)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="Muster"'
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER
    return response


def of_error(error: MusterError) -> Response:
    """The problem that one of our own errors is."""
    db.session.rollback()
    status, text = error.status, str(error)
    errors: list[dict[str, str]] = []
    if isinstance(error, PlansChangedError) and not isinstance(error, RowsInTheWayError):
        status = 412
    if isinstance(error, PasswordRequiredError):
        status, text = 403, NO_PROOF
    if isinstance(error, InviteRefusedError):
        return _of_invite(error)
    if isinstance(error, RuleViolationError) and error.field:
        errors.append({"pointer": f"/{error.field}", "detail": text})
    return answer(status, error.title, text, kind=name_of(error), errors=errors)


def _of_invite(error: InviteRefusedError) -> Response:
    """An invitation that was refused: 409 where the person is here already, 403 where it takes a proof."""
    codes = {issue["code"] for issue in error.issues}
    if "proof" in codes:
        return answer(403, detail=NO_PROOF, kind="password-required")
    errors = []
    for issue in error.issues:
        words = row_phrases.describe(issue)
        errors.append({"pointer": f"/{issue['field']}", "detail": words, "code": issue["code"]})
    if error.person:
        person = "{}-{}".format(*error.person)
        return answer(409, detail=str(error), kind="is-here", errors=errors, person=person)
    return answer(422, detail=str(error), kind="rule-violation", errors=errors)


def of_file(error: UnreadableFileError) -> Response:
    """The problem of a file or rows that cannot be taken. parts: into how many uploads they could be split, or 0."""
    db.session.rollback()
    text = f"{error.title} {error.advice}"
    return answer(422, detail=text, kind="unreadable-file", parts=error.parts)


def of_values(error: ValidationError) -> Response:
    """The problem of values that a schema refuses, each with a pointer."""
    db.session.rollback()
    errors = [{"pointer": pointer, "detail": text} for pointer, text in _flatten(error.messages)]
    detail = "Some of what was sent is not as it has to be. Nothing was changed."
    return answer(422, detail=detail, kind="invalid-values", errors=errors)


def name_of(error: Exception) -> str:
    """The name of an error in a problem's type: RuleViolationError is "rule-violation".

    What ranks above one is not found, like what is not there.
    """
    if isinstance(error, NotFoundError):
        return "not-found"
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__.removesuffix("Error"))
    return words.lower()


def _flatten(messages: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Each sentence of a schema with the pointer to what it is about."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            step = "" if name == "_schema" else f"/{_escape(str(name))}"
            yield from _flatten(inner, pointer + step)
    elif isinstance(messages, list):
        for each in messages:
            yield from _flatten(each, pointer)
    else:
        yield pointer, str(messages)


def _escape(name: str) -> str:
    """A step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
