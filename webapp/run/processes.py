"""Child processes that never outlive their parent, and that are started again when they die.

The standard library only: the supervisor and the worker stand on it before there is an app.
"""

import ctypes
import gc
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

RESTART_PAUSE = 1.0  # seconds

Child = subprocess.Popen[bytes]

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None

log = logging.getLogger("muster")


def spawn(argv: Sequence[str], **options: Any) -> Child:
    """Start a child that gets SIGTERM when its parent dies, on Linux. options: others of Popen.

    In a session of its own it does not see the terminal's Ctrl-C, which then reaches only the parent.
    Call it from the main thread: the signal comes when the thread that started the child ends.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        if _libc:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it died before we could ask
                os._exit(1)

    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent,
        **options,
    )


def end(children: Iterable[Child], patience: float) -> None:
    """SIGTERM to all at once; after `patience` seconds SIGKILL to what is left of their sessions."""
    alive = [child for child in children if child.poll() is None]
    for child in alive:
        child.terminate()
    deadline = time.monotonic() + patience
    for child in alive:
        with suppress(subprocess.TimeoutExpired):
            child.wait(max(0.0, deadline - time.monotonic()))
    for child in alive:
        if child.poll() is None:
            log.warning("process %d did not stop and is killed", child.pid)
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


class SupervisedProcess:
    """A child that is started again RESTART_PAUSE seconds after it dies."""

    def __init__(self, name: str, start: Callable[[], Child]) -> None:
        self.name = name
        self._start = start
        self._due = 0.0
        self.child = start()

    def poll(self) -> None:
        """Call often: notices a death, and starts the child again once the pause is over."""
        code = self.child.poll()
        if code is None:
            return
        now = time.monotonic()
        if not self._due:
            log.warning("%s ended with code %d and is started again", self.name, code)
            self._due = now + RESTART_PAUSE
        elif now >= self._due:
            self._due = 0.0
            self.child = self._start()


def unique_name(label: str) -> str:
    """A name of this process alone, whatever the machine is called and however often it begins: "mail-1-4711-9f3c2a1b"."""
    return f"{label[:50]}-{os.getpid()}-{secrets.token_hex(4)}"


def tune_gc() -> None:
    """Once the app is there: look for garbage less often, and never among what stays for good.

    By its default Python looks through everything whenever 700 objects are new; a step over fifty thousand rows then
    spends a third of its time on that.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
