"""Rules for a new password, the same on every page that sets one."""

from __future__ import annotations

import re
import threading

from zxcvbn import zxcvbn

from webapp.core.security.passwords import LONGEST

SHORTEST = 12
PRODUCT = "muster"
RULES = (f"At least {SHORTEST} characters", "Not your name or email", "Not a common password")
"""The rules as a page lists them next to the field."""

_COMMON = 2
"""zxcvbn's score below which a password counts as common: fewer than a million guesses."""
_JUDGED = 72
"""zxcvbn takes no longer ones; a password that is common so far says enough."""
_lock = threading.Lock()
_REST = 6
"""How many characters a password needs in addition to words of names."""


def problems(
    password: str, *, name: str = "", email: str = "", organisation: str = ""
) -> list[str]:
    """What is wrong with a new password, as a sentence; empty where it is good.

    name, email: of the person whose password it becomes. Offline: the list of common passwords is zxcvbn's own.
    """
    if len(password) < SHORTEST:
        return [f"Use at least {SHORTEST} characters."]
    if len(password) > LONGEST:
        return [f"Use at most {LONGEST} characters."]
    names = f"{name} {email} {organisation} {PRODUCT}"
    if _is_made_of(password, names):
        return [
            "Not your name or email, nor that of your organisation or of Muster: choose something that others cannot guess."
        ]
    if _score(password, names) < _COMMON:
        return [
            "This is a common password. Three or four words that do not belong together are better."
        ]
    return []


def _score(password: str, names: str) -> int:
    """zxcvbn's score. names: words that an attacker would try first."""
    with _lock:  # it keeps them in a place that all threads share
        return int(zxcvbn(password[:_JUDGED], user_inputs=_words(names))["score"])


def _is_made_of(password: str, names: str) -> bool:
    """Whether little is left of the password without the words of these names, and without years."""
    whole = rest = _letters(password)
    for word in sorted(_words(names), key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest != whole and len(re.sub(r"(19|20)\d\d", "", rest)) < _REST


def _words(names: str) -> list[str]:
    """The words of names and e-mails that are long enough to tell."""
    return [word for word in map(_letters, re.split(r"[\s@._+-]+", names)) if len(word) > 2]


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
