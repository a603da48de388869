"""Muster in one command: queue server, database, web, workers.

`python -m webapp.supervisor`. It keeps them alive until SIGTERM or Ctrl-C and then has all of them stopped
within ten seconds. What it starts dies with it, even when it is killed.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from webapp.layout import TOP
from webapp.run import data_folder, listening, program, valkey
from webapp.run.processes import Child, SupervisedProcess, end, spawn
from webapp.settings.fields import ConfigError
from webapp.settings.settings import Settings
from webapp.version import version

# seconds until SIGKILL; less than ten in all
PROGRAM_PATIENCE = 6.0
QUEUE_PATIENCE = 1.0
PREPARE = ("-m", "webapp", "prepare", "--upgrade")
FRAME = 72 * "-"
COUNTED_TOGETHER = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder where several web processes keep their figures, so that each of them answers /metrics for all."""
STEP = 0.1  # seconds between two looks at the children
START_PATIENCE = 60.0  # seconds for the queue server, and for the web, to answer

log = logging.getLogger("muster")


class StoppedError(Exception):
    """SIGTERM, SIGINT or SIGHUP came."""


class Supervisor:
    """Everything that runs on one data folder."""

    def __init__(self, settings: Settings, prepare: Sequence[str] = PREPARE) -> None:
        """prepare: what our Python runs before the web server starts; what it prints is for the person who starts Muster."""
        self.settings = settings
        self.prepare = prepare
        # The children get the folder's whole path: theirs is another working directory.
        self.environ = os.environ | {"MUSTER_DATA_DIR": str(settings.data_dir)}
        self.stop_signal = 0
        self.sockets: list[socket.socket] = []
        self.queue: list[SupervisedProcess] = []
        self.programs: list[SupervisedProcess] = []

    def run(self) -> None:
        """Start everything, keep it alive, stop it.

        Raises ConfigError, with everything stopped again.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, self._ask_to_stop)
        with data_folder.lock(self.settings.data_dir):
            try:
                self._start()
                while True:
                    for each in (*self.queue, *self.programs):
                        each.poll()
                    self._pause()
            except StoppedError:
                log.info("stopping (%s)", signal.Signals(self.stop_signal).name)
            finally:
                listening.close(self.sockets)
                end([each.child for each in self.programs], PROGRAM_PATIENCE)
                end([each.child for each in self.queue], QUEUE_PATIENCE)
        log.info("stopped")

    def _ask_to_stop(self, number: int, _frame: FrameType | None) -> None:
        self.stop_signal = number

    def _start(self) -> None:
        settings = self.settings
        if _web_answers(settings):
            raise ConfigError(
                f"Another program listens on {settings.host}:{settings.port} already. "
                "Stop it, or set MUSTER_PORT to another port."
            )
        self.sockets = listening.open_sockets(settings.host, settings.port)
        log.info("starting version %s", version())
        if not settings.redis_url:
            start = partial(valkey.start, settings, valkey.find_server())
            self.queue.append(SupervisedProcess("the queue server", start))
            self._wait_until(valkey.answers, self.queue[0], f"See {settings.data_dir}/valkey.log.")
        said = self._prepare()
        webs = self._start_webs()
        for number in range(1, settings.workers + 1):
            name = f"{socket.gethostname()[:40]}-{number}"
            self._run(f"worker {number}", self._python, str(TOP / "worker.py"), name)
        self._wait_until(_web_answers, webs[0], "What it said stands above.")
        self._print_frame(said)

    def _start_webs(self) -> list[SupervisedProcess]:
        """Start the web servers. They share the sockets, which stay open here: while one starts again, connections wait."""
        environ = dict(self.environ)
        if self.settings.webs > 1:
            environ[COUNTED_TOGETHER] = str(
                data_folder.make_empty(self.settings.data_dir / "metrics")
            )
        descriptors = [each.fileno() for each in self.sockets]
        start = partial(self._python, env=environ, pass_fds=descriptors)
        names = ["the web server", *(f"web server {n}" for n in range(2, self.settings.webs + 1))]
        arguments = "-m", "webapp.server", *map(str, descriptors)
        return [self._run(name, start, *arguments) for name in names]

    def _run(self, name: str, start: Callable[..., Child], *arguments: str) -> SupervisedProcess:
        """Start a program of ours, which is kept alive from now on."""
        made = SupervisedProcess(name, partial(start, *arguments))
        self.programs.append(made)
        return made

    def _print_frame(self, said: str) -> None:
        """Print last what the person who starts Muster needs. said: what was said when the database was made ready."""
        folder = self.settings.data_dir
        server = urlsplit(self.settings.mail_url).netloc.rpartition("@")[2]
        mail = server or f"none: emails become files in {folder}/outbox"
        lines = [f"Muster is running at {self.settings.public_url}"]
        if said:
            lines.append(said)
        lines += [f"Mail   {mail}", f"Data   {folder}"]
        if sys.stderr.isatty():
            lines += [f"Log    {self.settings.log_file}", "Stop   Ctrl+C"]
        print(FRAME, *lines, FRAME, sep="\n", flush=True)

    def _prepare(self) -> str:
        """Bring the database up to date. Returns what was said of it."""
        child = self._python(*self.prepare, stdout=subprocess.PIPE)
        try:
            while child.poll() is None:
                self._pause()
        finally:
            end([child], PROGRAM_PATIENCE)
        if child.returncode:
            raise ConfigError("The database could not be made ready. What was said stands above.")
        assert child.stdout
        return child.stdout.read().decode().strip()

    def _wait_until(
        self, answers: Callable[[Settings], bool], process: SupervisedProcess, why: str
    ) -> None:
        """Wait for the first answer. Raises ConfigError if the process ends or needs too long."""
        deadline = time.monotonic() + START_PATIENCE
        while not answers(self.settings):
            if process.child.poll() is not None or time.monotonic() > deadline:
                raise ConfigError(f"{process.name.capitalize()} did not start. {why}")
            self._pause()

    def _pause(self) -> None:
        """Raises StoppedError after a signal."""
        if self.stop_signal:
            raise StoppedError
        time.sleep(STEP)

    def _python(self, *arguments: str, **options: Any) -> Child:
        """A child that runs our Python; its stdout goes to stderr (2). options: others of `spawn`."""
        usual = {"env": self.environ, "cwd": TOP, "stdout": 2}
        return spawn([sys.executable, *arguments], **usual | options)


def _web_answers(settings: Settings) -> bool:
    """Whether the web server takes connections."""
    with suppress(OSError), socket.create_connection((settings.host, settings.port), timeout=2):
        return True
    return False


def main() -> int:
    """The exit code: 0 after a stop, 1 when something else is in the way."""
    settings = program.begin("muster")
    try:
        Supervisor(settings).run()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
