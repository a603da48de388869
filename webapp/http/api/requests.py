"""What a program sends: JSON, a query, a key, the version that it has seen."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from flask import request
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from webapp.core.errors import VersionMissingError, VersionOutdatedError

JSON = "application/json"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_TAG = re.compile(r'"([^"\\]{1,64})"')


def read_body(schema: type[Schema]) -> dict[str, Any]:
    """The JSON of the request, judged by a schema; without a body {}.

    Raises ValidationError, BadRequest, UnsupportedMediaType.
    """
    data = request.get_data()
    if data and request.mimetype != JSON:
        raise UnsupportedMediaType
    return load(schema, data or b"{}")


def load(schema: type[Schema], data: bytes | str) -> dict[str, Any]:
    """JSON, judged by a schema. Raises ValidationError, or BadRequest for what is no JSON."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        raise BadRequest from None
    _check_texts(values)
    loaded: dict[str, Any] = schema().load(values)
    return loaded


def read_query(schema: type[Schema]) -> dict[str, Any]:
    """The query of the address, judged by a schema. Raises ValidationError, also for a name that it does not know."""
    loaded: dict[str, Any] = schema().load(request.args.to_dict())
    return loaded


def read_key() -> str | None:
    """The `Idempotency-Key`, or None. Raises ValidationError where it is none."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        sentence = "Use 1 to 255 characters of ASCII, without spaces."
        raise ValidationError({"Idempotency-Key": [sentence]})
    return key


def seen_tag() -> str:
    """The one strong tag of `If-Match`. Raises VersionMissingError, or VersionOutdatedError for anything else."""
    given = request.headers.get("If-Match")
    if given is None:
        raise VersionMissingError("Say what you have seen: If-Match with the ETag of the answer.")
    tag = _TAG.fullmatch(given.strip())
    if tag is None:
        raise VersionOutdatedError("If-Match takes exactly one ETag, as it was given.")
    return tag[1]


def digest(*parts: bytes | str) -> str:
    """SHA-256 (hex) of what makes a request the same one again."""
    hashed = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hashed.update(len(data).to_bytes(8) + data)
    return hashed.hexdigest()


def _check_texts(value: Any) -> None:
    """Raise ValidationError for texts that no database stores: with NUL, or with half a character."""
    if isinstance(value, str):
        if "\0" in value or (not value.isascii() and _is_broken(value)):
            raise ValidationError("A text has characters that cannot be kept: NUL, or half of one.")
    elif isinstance(value, dict):
        for name, each in value.items():
            _check_texts(name)
            _check_texts(each)
    elif isinstance(value, list):
        for each in value:
            _check_texts(each)


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
