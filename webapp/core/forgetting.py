"""Taking somebody's name out of what was written down."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


def replaced(value: Any, texts: Iterable[str], pseudonym: str) -> Any:
    """The JSON value with each of the texts replaced, in whatever case it is written, the longest first."""
    found = sorted(filter(None, texts), key=len, reverse=True)
    if not found:
        return value
    return _in(value, re.compile("|".join(map(re.escape, found)), re.IGNORECASE), pseudonym)


def _in(value: Any, wanted: re.Pattern[str], pseudonym: str) -> Any:
    if isinstance(value, dict):
        return {key: _in(each, wanted, pseudonym) for key, each in value.items()}
    if isinstance(value, list):
        return [_in(each, wanted, pseudonym) for each in value]
    return wanted.sub(pseudonym, value) if isinstance(value, str) else value
