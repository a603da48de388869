"""Rules for a new password, the same on every page that sets one."""

from __future__ import annotations

import re
import threading

from zxcvbn import zxcvbn

from webapp.core.security.passwords import LONGEST

SHORTEST = 12
PRODUCT = "muster"

_COMMON = 2
"""zxcvbn's score below which a password counts as common: fewer than a million guesses."""
_JUDGED = 72
"""zxcvbn takes no longer ones; a password that is common so far says enough."""
_lock = threading.Lock()
_REST = 6
"""How many letters a password needs in addition to words of names."""


def find_problem(password: str, *names: str) -> str:
    """What is wrong with a new password, as a sentence; "" where it is good.

    names: of the person and the organisation, and e-mails. Offline: the list of common passwords is zxcvbn's own.
    """
    if len(password) < SHORTEST:
        return f"Use at least {SHORTEST} characters."
    if len(password) > LONGEST:
        return f"Use at most {LONGEST} characters."
    words = re.findall(r"[^\W\d_]{3,}", " ".join((*names, PRODUCT)).casefold())
    letters = re.sub(r"[\W\d_]", "", password.casefold())
    rest = letters
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word, "")
    if rest != letters and len(rest) < _REST:
        return "Not your name or email, nor that of your organisation or of Muster: choose something that others cannot guess."
    with _lock:  # zxcvbn keeps the words in a place that all threads share
        score = zxcvbn(password[:_JUDGED], user_inputs=words)["score"]
    if score < _COMMON:
        return (
            "This is a common password. Three or four words that do not belong together are better."
        )
    return ""
