"""Muster's version."""

from __future__ import annotations

import tomllib
from functools import cache

from webapp.layout import TOP


@cache
def version() -> str:
    """Of Muster, as pyproject.toml says."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
