"""Text goes over the wire gzipped, where the browser takes that: no proxy is needed in front. docs/decisions/0017."""

from __future__ import annotations

import gzip
import io
import secrets
from functools import lru_cache
from gzip import GzipFile
from typing import IO

from flask import Response, request

TYPES = {
    "text/html", "text/css", "text/javascript", "text/csv", "text/plain", "application/javascript", "application/json",
    "application/jsonl", "image/svg+xml",
}  # fmt: skip
SHORTEST = 500
"""Bytes; shorter answers fit one packet as they are."""
PADDING = 100
"""A page that another site can have opened gets up to so many bytes more, random each time."""


def is_wanted(mimetype: str) -> bool:
    """Whether an answer of this type to the request under way is gzipped."""
    return mimetype in TYPES and bool(request.accept_encodings.quality("gzip"))


def compress(response: Response) -> Response:
    """After every request: gzip what is text. Files to be saved are packed already, or stay as they are: see attachments."""
    if response.mimetype not in TYPES or response.status_code in (204, 206, 304):
        return response
    is_file = request.endpoint == "static"
    response.vary.add("Accept-Encoding")
    if "Content-Encoding" in response.headers or (response.is_streamed and not is_file):
        return response
    if not is_wanted(response.mimetype):
        return response
    response.direct_passthrough = False
    data = response.get_data()
    if len(data) < SHORTEST:
        return response
    if is_file:
        response.set_data(_gzip_file(data))
    else:
        packed = io.BytesIO()
        with packer(packed) as file:
            file.write(data)
        response.set_data(packed.getvalue())
    response.headers["Content-Encoding"] = "gzip"
    tag, _ = response.get_etag()
    if tag:
        response.set_etag(tag, weak=True)  # the same file, in other bytes
    return response


@lru_cache(maxsize=64)
def _gzip_file(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def packer(file: IO[bytes]) -> GzipFile:
    """What gzips into a file all that is written to it; closing it leaves that file open.

    The name in it is up to PADDING long, against BREACH.
    """
    return GzipFile("-" * secrets.randbelow(PADDING), "wb", 6, file, mtime=0)
