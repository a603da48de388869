"""Rules for a new password, the same on every page that sets one."""

from __future__ import annotations

import re

from zxcvbn import zxcvbn

SHORTEST = 12
LONGEST = 256
RULES = (f"At least {SHORTEST} characters", "Not your name or email", "Not a common password")
"""As a page lists them beside the field."""

_COMMON = 2
"""zxcvbn's score below which a password counts as common: fewer than a million guesses."""
_JUDGED = 72
"""zxcvbn takes no longer ones; a password that is common so far says enough."""
_REST = 6
"""So many characters a password must have beside the words of the name and the e-mail."""


def problems(password: str, *, name: str = "", email: str = "") -> list[str]:
    """What is wrong with a new password, each a sentence; empty where it is good.

    name, email: of the person whose password it becomes. Offline: the list of common passwords is zxcvbn's own.
    """
    if len(password) < SHORTEST:
        return [f"Use at least {SHORTEST} characters."]
    if len(password) > LONGEST:
        return [f"Use at most {LONGEST} characters."]
    found = []
    if _is_personal(password, name, email):
        found.append("Not your name or email: choose something that others cannot guess.")
    if zxcvbn(password[:_JUDGED])["score"] < _COMMON:
        found.append("This is a common password. Three or four words that do not belong together are better.")
    return found


def _is_personal(password: str, name: str, email: str) -> bool:
    """Whether little is left of the password without the words of the name and the e-mail."""
    whole = rest = _letters(password)
    for word in sorted(map(_letters, re.split(r"[\s@._+-]+", f"{name} {email}")), key=len, reverse=True):
        if len(word) > 2:
            rest = rest.replace(word, "")
    return rest != whole and len(rest) < _REST


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
