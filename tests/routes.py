"""The lines of routes.txt. `python -m tests.routes > routes.txt` writes them."""

from __future__ import annotations

import tempfile

from flask import Flask
from webapp.app import create_app
from webapp.settings.settings import Settings


def route_lines(app: Flask) -> list[str]:
    """By path and method: who may call what; "NOBODY" where a view does not say."""
    rows = []
    for rule in app.url_map.iter_rules():
        who = "public" if rule.endpoint == "static" else getattr(app.view_functions[rule.endpoint], "required", "NOBODY")
        rows += [(rule.rule, method, rule.endpoint, who) for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})]
    width = max(len(path) for path, *_ in rows)
    return [f"{method:<6} {path:<{width}} {endpoint:<24} {who}" for path, method, endpoint, who in sorted(rows)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(route_lines(create_app(Settings.from_environment({"MUSTER_DATA_DIR": folder})))))
