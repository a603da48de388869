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

    def __init__(self, addresses: Iterable[str], names: Iterable[str], pseudonym: str) -> None:
        addresses, names = (
            {text for text in addresses if "@" in text},
            {text for text in names if text},
        )
        self.all = sorted(addresses | names, key=lambda text: (-len(text), text))
        self.pseudonym = pseudonym
        self._names = {name.casefold() for name in names}
        parts = [
            rf"(?<![\w.+-]){re.escape(text)}(?![\w-]|\.\w)"
            for text in self.all
            if text in addresses
        ]
        parts += [
            rf"(?<!\w){re.escape(text)}(?!\w)"
            for text in self.all
            if text not in addresses and " " in text
        ]
        self._pattern = re.compile("|".join(parts) or "(?!)", re.IGNORECASE)

    def __call__(self, value: Any, within: str = "") -> Any:
        if isinstance(value, dict):
            return {self(name): self(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self(each, within) for each in value]
        if not isinstance(value, str):
            return value
        if within not in NAMES_OF_OTHERS and value.casefold() in self._names:
            return self.pseudonym
        return self._pattern.sub(lambda _: self.pseudonym, value)
