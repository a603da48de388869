"""Named points in the real processes, without a hook in the product: Python imports this file at its start from PYTHONPATH.

A process that comes to `claim.before` looks for the file FAULTS_POINTS/claim.before.armed. The first one renames it and waits at
that point, with its process id in claim.before.reached, until there is a file claim.before.go. See `Points` in portal.py.

Each function has four points (`PLACES`): before it, before its first COMMIT, after that COMMIT, and after the function.
A function that does not exist ends the process that imports its module. A module that does not exist is never imported: so
`Points` and test_points.py import it themselves.
"""

from __future__ import annotations

import functools
import importlib.abc
import os
import sys
import threading
import time
from typing import Any

FOLDER = os.environ.get("FAULTS_POINTS", "")
FUNCTIONS = {
    "stage": "webapp.services.batches.upload",
    "confirm": "webapp.services.batches.confirmation",
    "run_chunk": "webapp.services.batches.execute",
    "claim": "webapp.services.mail.claim",
    "render_claimed": "webapp.services.mail.claim",
    "begin_data": "webapp.services.mail.claim",
    "record_sent": "webapp.services.mail.results",
}
"""The functions that have points, each with its module."""
CONDITIONS = {"claim": "oldest_due"}
"""A function of the same module that is true where a call counts: a claim that finds nothing is not a point."""
PLACES = ("before", "commit", "committed", "after")
within = threading.local()


def reach(point):
    """Wait here if the point is armed."""
    path = os.path.join(FOLDER, point)
    try:
        os.rename(f"{path}.armed", f"{path}.{os.getpid()}")
    except OSError:
        return
    with open(f"{path}.{os.getpid()}", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{path}.{os.getpid()}", f"{path}.reached")
    while not os.path.exists(f"{path}.go") and os.path.isdir(FOLDER):
        time.sleep(0.01)


def watch(module, name):
    """Replace a function of the module by one that stops at its points. Raises AttributeError if it is not there."""
    function = getattr(module, name)
    counts = getattr(module, CONDITIONS[name]) if name in CONDITIONS else lambda: True

    @functools.wraps(function)
    def run(*args, **kwargs):
        if not counts():
            return function(*args, **kwargs)
        outer, within.name = getattr(within, "name", None), name
        reach(f"{name}.before")
        try:
            answer = function(*args, **kwargs)
        finally:
            within.name = outer
        reach(f"{name}.after")
        return answer

    setattr(module, name, run)


def watch_commits():
    from sqlalchemy.engine.default import DefaultDialect

    commit = DefaultDialect.do_commit

    def do_commit(self, connection):
        name = getattr(within, "name", None)
        if name:
            reach(f"{name}.commit")
        commit(self, connection)
        if name:
            reach(f"{name}.committed")

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        functions = [function for function, module in FUNCTIONS.items() if module == name]
        if not functions:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec: Any = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            for function in functions:
                watch(module, function)

        spec.loader.exec_module = exec_module
        return spec


if FOLDER:
    sys.meta_path.insert(0, Finder())
    if any("webapp" in part or "worker" in part for part in sys.orig_argv):
        watch_commits()
