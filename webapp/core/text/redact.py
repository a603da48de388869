"""Replaces a person's e-mails and names in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

NAMES_OF_OTHERS = ("role", "groups")
"""Keys whose values are names of roles and groups; a person's one-word name is kept there."""


class Redactor:
    """Replaces one person's e-mails and names with a pseudonym, in a text or any JSON value.

    An e-mail is found within a longer text, but not within a longer e-mail. One-word names are replaced only where they
    are the whole text.
    """

    def __init__(self, words: Iterable[str], pseudonym: str) -> None:
        self.all = sorted(filter(None, words), key=len, reverse=True)
        self.pseudonym = pseudonym
        self._names = {text.casefold() for text in self.all if "@" not in text}
        parts = ["(?!)"]  # matches nothing
        for text in self.all:
            escaped = re.escape(text)
            if "@" in text:
                parts.append(rf"(?<![\w.+-]){escaped}(?![\w-]|\.\w)")
            elif " " in text:
                parts.append(rf"(?<!\w){escaped}(?!\w)")
        pattern = "|".join(parts)
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def __call__(self, value: Any, within: str = "") -> Any:
        if isinstance(value, dict):
            redacted = {}
            for name, each in value.items():
                redacted[self(name)] = self(each, name)
            return redacted
        if isinstance(value, list):
            return [self(each, within) for each in value]
        if not isinstance(value, str):
            return value
        if within not in NAMES_OF_OTHERS and value.casefold() in self._names:
            return self.pseudonym
        return self._pattern.sub(lambda _: self.pseudonym, value)
