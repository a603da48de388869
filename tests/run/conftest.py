"""Muster as people run it: real processes on a data folder of their own."""

import functools
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from webapp.app import create_app
from webapp.db import db
from webapp.run import processes
from webapp.settings.settings import Settings
from webapp.upgrade import upgrade

from tests.ports import free_port

TOP = Path(__file__).parents[2]
STOP_LIMIT = 10  # seconds that a stop may take: a promise of the product
PATIENCE = 180  # seconds after which something that should happen did not: also on a slow machine that is busy


def wait_until(happened: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while not (found := happened()):
        assert time.monotonic() < deadline, f"within {patience} s: {what}"
        time.sleep(0.03)
    return found


def running() -> Iterator[tuple[int, str]]:
    """Every process that is alive: its id, its arguments and environment. On Linux without `ps`, which a small system lacks."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "axeww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            yield int(line.split()[0]), line
        return
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda folder: int(folder.name)):
        with suppress(OSError):  # it ended meanwhile, or is somebody else's
            told = (folder / "cmdline").read_bytes() + b"\0" + (folder / "environ").read_bytes()
            yield int(folder.name), told.replace(b"\0", b" ").decode(errors="replace")


@functools.cache
def empty_tables() -> bytes:
    """A database to which every migration was applied, and nothing else."""
    with tempfile.TemporaryDirectory(prefix="muster-") as folder:
        app = create_app(Settings.from_environment({"MUSTER_DATA_DIR": folder}))
        with app.app_context():
            upgrade()
            db.session.remove()
            db.engine.dispose()
        return Path(folder, "muster.db").read_bytes()


class Muster:
    """One run on one data folder, and what a person can see of it from outside."""

    def __init__(self, data_dir: Path, port: int | None = None, **settings: str) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.said = data_dir.with_name(data_dir.name + ".said")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        one = {"MUSTER_WORKERS": "1"}  # a start is cheaper; a test that is about several says so
        self.environ |= one | {"MUSTER_DATA_DIR": str(data_dir), "MUSTER_PORT": str(self.port), **settings}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where a person reaches it."""
        return f"http://127.0.0.1:{self.port}"

    def migrated(self) -> "Muster":
        """With empty tables of this version, as a second start finds them: the first takes 1.5 s of a processor longer."""
        self.data_dir.mkdir(mode=0o700)
        (self.data_dir / "muster.db").write_bytes(empty_tables())
        (self.data_dir / "muster.db").chmod(0o600)
        return self

    def start(self, module: str = "webapp.supervisor", *arguments: str) -> "Muster":
        with self.said.open("ab") as out:
            # Not by Popen: whatever kills the tests ends what they have started.
            argv = [sys.executable, "-m", module, *arguments]
            self.process = processes.spawn(argv, cwd=TOP, env=self.environ, stdout=out, stderr=out)
        return self

    def started(self, *what: str) -> "Muster":
        """what: another module than the supervisor, and its arguments."""
        self.start(*what)
        wait_until(lambda: "Muster is running at" in self.output() or self.ended(), "it runs")
        assert not self.ended(), self.output()
        return self

    def run(self, module: str = "webapp.supervisor") -> subprocess.CompletedProcess[str]:
        """For a start that is refused: waits for its end."""
        return subprocess.run(
            [sys.executable, "-m", module],
            cwd=TOP,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def output(self) -> str:
        return self.said.read_text() if self.said.exists() else ""

    def get(self, path: str, timeout: float = 60) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def health(self) -> dict[str, Any]:
        """What /healthz says, or nothing while the web server is away."""
        try:
            return dict(json.loads(self.get("/healthz")[1]))
        except (OSError, http.client.HTTPException):
            return {}

    def processes(self, *words: str) -> list[int]:
        """The processes that carry our data folder in their environment or arguments, and all these words."""
        found = []
        for pid, line in running():
            if str(self.data_dir) in line and all(word in line for word in words):
                found.append(pid)
        return found

    def one(self, *words: str) -> int:
        return self.processes(*words)[0]

    def stop(self, number: int = signal.SIGTERM, limit: float = PATIENCE) -> int:
        """Asks for the stop; the exit code. Fails when anything is left after so many seconds."""
        self.ask_to_stop(number)
        return self.wait_for_end(limit)

    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        assert self.process
        self.process.send_signal(number)

    def wait_for_end(self, limit: float = PATIENCE) -> int:
        assert self.process
        began = time.monotonic()
        code = self.process.wait(limit)
        wait_until(lambda: not self.processes(), "nothing is left", limit - (time.monotonic() - began))
        return code

    def clean_up(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def muster(tmp_path: Path) -> Iterator[Muster]:
    """Not started yet; whatever a test leaves is killed."""
    run = Muster(tmp_path / "data")
    yield run
    run.clean_up()
