"""What a browser says of itself, in words."""

from __future__ import annotations

_BROWSERS = {
    "Edg": "Edge",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
"""By a mark in the text. Others pretend to be Chrome and Safari, so these come last."""
_SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Macintosh": "Mac",
    "Linux": "Linux",
}


def device(user_agent: str) -> str:
    """\"Firefox on Windows"; a browser that is not in the tables has the name of the one that it pretends to be."""
    browsers = [name for mark, name in _BROWSERS.items() if mark in user_agent]
    systems = [name for mark, name in _SYSTEMS.items() if mark in user_agent]
    return " on ".join(browsers[:1] + systems[:1]) or "Unknown device"
