"""Named points in the real processes, without a hook in the product: Python imports this by itself where PYTHONPATH leads to it.

A process that comes to `claim.before` looks whether FAULTS_POINTS/claim.before.armed is there. Whoever renames it away waits at
that point, with its process id in claim.before.reached, until claim.before.go is there. See `Points` in portal.py.

Of each function there are four points: before it, before its (first) COMMIT, after that COMMIT, and after the function.
"""

from __future__ import annotations

import functools
import importlib.abc
import os
import sys
import threading
import time

FOLDER = os.environ.get("FAULTS_POINTS", "")
MODULES = ["webapp.services." + name for name in ("outbox", "claims", "outcomes", "processing", "batches", "uploads")]
FUNCTIONS = ("claim", "letters", "begin_data", "sent", "put_off", "work_off", "confirm", "stage")
within = threading.local()


def reach(point):
    """Wait here, if somebody wants it."""
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


def watched(function, module):
    @functools.wraps(function)
    def run(*args, **kwargs):
        if function.__name__ == "claim" and not module.due():
            return function(*args, **kwargs)  # a claim that finds nothing is no point of anything
        outer, within.name = getattr(within, "name", None), function.__name__
        reach(f"{function.__name__}.before")
        try:
            answer = function(*args, **kwargs)
        finally:
            within.name = outer
        reach(f"{function.__name__}.after")
        return answer

    return run


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

    DefaultDialect.do_commit = do_commit


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name not in MODULES:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((spec for finder in others if (spec := finder.find_spec(name, path, target))), None)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            for function in FUNCTIONS:
                found = getattr(module, function, None)
                if getattr(found, "__module__", "") == name:
                    setattr(module, function, watched(found, module))

        spec.loader.exec_module = exec_module
        return spec


if FOLDER:
    sys.meta_path.insert(0, Finder())
    if any("webapp" in part or "worker" in part for part in sys.orig_argv):
        watch_commits()
