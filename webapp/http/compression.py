"""Gzips text where the browser takes that, so that no proxy is needed in front. docs/decisions/0017."""

from __future__ import annotations

import io
import secrets
from gzip import GzipFile

from flask import Response, request

TYPES = {
    "text/html",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/json",
    "image/svg+xml",
}
SHORTEST = 500
"""Bytes; shorter answers fit one packet as they are."""
PADDING = 100
"""An answer gets up to so many bytes more, random each time, against BREACH."""


def compress(response: Response) -> Response:
    """After every request: gzip text. Files to be saved stay as they are."""
    if response.mimetype not in TYPES or response.status_code == 206:
        return response
    response.vary.add("Accept-Encoding")
    is_file = response.is_streamed and request.endpoint != "static"
    if is_file or not request.accept_encodings.quality("gzip"):
        return response
    response.direct_passthrough = False
    data = response.get_data()
    if len(data) < SHORTEST:
        return response
    packed = io.BytesIO()
    padding = "-" * secrets.randbelow(PADDING)
    with GzipFile(padding, "wb", 6, packed, mtime=0) as file:
        file.write(data)
    response.set_data(packed.getvalue())
    response.headers["Content-Encoding"] = "gzip"
    tag, _ = response.get_etag()
    if tag:
        response.set_etag(tag, weak=True)  # the same file, in other bytes
    return response
