"""Replaces a person's e-mails and names in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

NAMES_OF_OTHERS = ("role", "groups")
"""Keys whose values are names of roles and groups, which are kept."""


class Redactor:
    """Replaces one person's e-mails and names with a pseudonym, in a text or any JSON value.

    An e-mail is found within a longer text, but not within a longer e-mail. One-word names are replaced only where they
    are the whole text.
    """

    def __init__(self, words: Iterable[str], pseudonym: str) -> None:
        self.all = sorted(filter(None, words), key=len, reverse=True)
        self.pseudonym = pseudonym
        parts = ["(?!)"]  # matches nothing
        for text in self.all:
            escaped = re.escape(text)
            if "@" in text:
                parts.append(rf"(?<![\w.+-]){escaped}(?![\w-]|\.\w)")
            elif " " in text:
                parts.append(rf"(?<!\w){escaped}(?!\w)")
            else:
                parts.append(rf"^{escaped}\Z")
        self._pattern = re.compile("|".join(parts), re.IGNORECASE)

    def __call__(self, value: Any, within: str = "") -> Any:
        if isinstance(value, dict):
            redacted = {}
            for name, each in value.items():
                redacted[self(name)] = self(each, name)
            return redacted
        if within in NAMES_OF_OTHERS:
            return value
        if isinstance(value, list):
            return [self(each) for each in value]
        if isinstance(value, str):
            return self._pattern.sub(lambda _: self.pseudonym, value)
        return value
