"""The web server: waitress. A thread gets a request only once it is whole, and is free once its answer is made.

So no client holds a thread, neither by writing slowly nor by not reading: waitress keeps what is not read yet in temporary
files. What clients can hold is connections, and those are bounded here. Monitors have threads of their own.

`python -m webapp.server`
"""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import sys
import time
from collections import Counter
from math import inf
from types import FrameType
from typing import TYPE_CHECKING, Any

import waitress.server
from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, TcpWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from webapp import create_app, logs
from webapp.core.security.peers import place_of
from webapp.run import data_folder, processes
from webapp.run.listening import why_not
from webapp.settings.settings import ConfigError, Settings

if TYPE_CHECKING:
    from webapp.http.metrics import Latency

CONNECTIONS = 1000  # at once; the next ones wait in the kernel's queue
SPARE = 10  # of those: what is over them takes the place of another
OTHER_FILES = 200  # descriptors for everything that is not a connection: database, queue, templates
WHOLE_REQUEST = (
    180  # seconds for a request to arrive, and for a connection of a trusted proxy to stay idle
)
IDLE = 20  # seconds that a connection of anybody else stays without a request
STALLED = 60  # seconds that an answer waits for a reader who takes none of it
UNREAD = 1 << 30  # bytes of answers that are not read yet, of all connections together
PIPELINED = 10  # requests of one connection that wait for each other
# of files: these wait for each other, in threads of their own
READING = re.compile(r"/batches|/batches/\d+/(file|mapping)")
# files to be saved: made one after another by EXPORTERS, however many ask
EXPORTING = re.compile(r"/.*\.(csv|jsonl)")
EXPORTERS = 2
MONITORING = {"/healthz/live": 1, "/healthz": 4, "/metrics": 2}  # threads for these alone


class PortTakenError(Exception):
    """The address cannot be listened on; str() is one line that says why and what to do."""


class Complaint(ErrorTask):  # type: ignore[misc]
    """What the server itself says of a request that no view gets: with the headers that an answer of ours has."""

    response_headers: list[tuple[str, str]]

    def execute(self) -> None:
        self.response_headers += [
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ]
        super().execute()


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection, and how long it may wait for what. Dripping bytes are no activity: a request has WHOLE_REQUEST in all."""

    error_task_class = Complaint
    is_behind_proxy = False
    """Whether all connections are those of a proxy, which bounds its own clients."""

    last_activity: float
    total_outbufs_len: int
    requests: list[Any]

    def __init__(
        self,
        server: BaseWSGIServer,
        sock: Any,
        addr: Any,
        adj: Any,
        map: Any = None,  # noqa: A002 -- waitress gives it by this name
    ) -> None:
        self.peer = place_of(addr[0])
        super().__init__(server, sock, addr, adj, map=map)
        self._make_room()

    def handle_read(self) -> None:
        began, is_within = self.last_activity, self.request is not None
        super().handle_read()
        if is_within and self.request is not None:
            self.last_activity = began

    def received(self, data: bytes) -> bool:
        is_taken = bool(super().received(data))
        if len(self.requests) > PIPELINED:
            self.handle_close()
        return is_taken

    def readable(self) -> bool:
        """Asked at least once a second: the moment to close what waited too long."""
        if time.time() - self.last_activity > self._patience():
            self.handle_close()  # at once: will_close waits until one can write
            return False
        return bool(super().readable())

    def _patience(self) -> float:
        if self.total_outbufs_len:
            return STALLED
        if self.requests:
            return inf
        return WHOLE_REQUEST if self.request is not None or self.is_behind_proxy else IDLE

    def _make_room(self) -> None:
        """Close an idle connection if there are too many: of this peer, or of the peer with most if there are too many
        in all. The one that waited longest for its request goes, else the new one."""
        channels = list(self.server.active_channels.values())
        unread = [channel for channel in channels if channel.total_outbufs_len]
        if sum(channel.total_outbufs_len for channel in unread) > UNREAD:
            min(unread, key=lambda channel: float(channel.last_activity)).handle_close()
        if self.is_behind_proxy:
            return
        most = self.server.adj.connection_limit
        by_peer = Counter(channel.peer for channel in channels)
        peer = self.peer
        if len(channels) > most - SPARE:
            peer = by_peer.most_common(1)[0][0]
        elif by_peer[peer] <= max(SPARE, most // 4):
            return
        waiting = [
            each
            for each in channels
            if each.peer == peer and each is not self and each.is_waiting()
        ]
        min(
            waiting, key=lambda each: (each.request is not None, each.last_activity), default=self
        ).handle_close()

    def is_waiting(self) -> bool:
        """Whether the client has to say something, or something more."""
        return not self.requests and not self.total_outbufs_len


class Threads(ThreadedTaskDispatcher):  # type: ignore[misc]
    """The threads that answer. Beside them half as many for files to be read, two for files to be saved, and some for
    monitors, who wait for nobody."""

    def __init__(self, threads: int, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        self.set_thread_count(threads)
        self.readers = _threads(threads // 2)
        self.exporters = _threads(EXPORTERS)
        self.monitors = {path: _threads(count) for path, count in MONITORING.items()}

    def add_task(self, task: Channel) -> None:
        # none where it could not be read
        path = getattr(task.requests[0], "path", "").removeprefix(self.prefix)
        if path in self.monitors:
            self.monitors[path].add_task(task)
        elif READING.fullmatch(path) and (path != "/batches" or task.requests[0].command == "POST"):
            self.readers.add_task(task)
        elif EXPORTING.fullmatch(path):
            self.exporters.add_task(task)
        else:
            super().add_task(task)

    def waiting(self) -> int:
        """Requests that no thread has yet."""
        return sum(len(each.queue) for each in (self, self.readers, self.exporters))

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        others = (self.readers, self.exporters, *self.monitors.values())
        for dispatcher in others:
            dispatcher.set_thread_count(0)  # all end at the same time
        is_cancelled = bool(super().shutdown(cancel_pending, timeout))
        for dispatcher in others:
            dispatcher.shutdown(timeout=0.5)
        return is_cancelled


def _threads(count: int) -> ThreadedTaskDispatcher:
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(count)
    return dispatcher


class Server(TcpWSGIServer):  # type: ignore[misc]
    """What listens. It takes several connections at a time, so that a flood of them is over soon."""

    channel_class = Channel

    def handle_accept(self) -> None:
        for _ in range(SPARE):
            super().handle_accept()  # nothing happens where there are no more


def make_server(app: Flask, settings: Settings) -> BaseWSGIServer:
    """The server of this process, listening; `run()` serves. Raises PortTakenError."""
    waitress.server.TcpWSGIServer = Server  # which `create_server` makes
    Channel.is_behind_proxy = settings.trusted_proxies > 0
    threads = Threads(settings.threads, settings.prefix)
    latency: Latency = app.extensions["muster_latency"]
    latency.watch(threads.waiting)
    try:
        return create_server(
            app,
            host=settings.host,
            port=settings.port,
            _dispatcher=threads,
            backlog=1024,
            connection_limit=_connection_limit(),
            asyncore_use_poll=True,  # select() ends at descriptor 1023
            channel_timeout=WHOLE_REQUEST,
            outbuf_high_watermark=sys.maxsize,  # a thread never waits for a reader
            # Twice the limit of a file, so that mostly the app refuses, which has a sentence for it.
            max_request_body_size=(2 * settings.max_upload_mb + 1) * 1024 * 1024,
            ident="",
            clear_untrusted_proxy_headers=False,  # create_app believes as many proxies as the settings say
        )
    except (OSError, ValueError) as error:  # ValueError: waitress could not look up the host
        threads.shutdown(timeout=0)
        raise PortTakenError(why_not(settings.host, settings.port, error)) from None


def serve(app: Flask, settings: Settings) -> None:
    """Serve until SystemExit is raised in this thread. Raises PortTakenError."""
    make_server(app, settings).run()


def _connection_limit() -> int:
    """CONNECTIONS, or what the limit of open files leaves (raised as far as it may be).

    A connection needs two: a long body is kept in a temporary file until it is whole.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        CONNECTIONS
        if soft == resource.RLIM_INFINITY
        else max(20, min(CONNECTIONS, (soft - OTHER_FILES) // 2))
    )


def main() -> int:
    """The exit code: 0 after a stop, 1 when the port is taken, 2 when a setting is wrong."""
    # a line for each request that waits for a thread
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    processes.exit_with_parent()

    def stop(_signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        settings = Settings.from_environment(os.environ)
        data_folder.guard(settings.data_dir)
        logs.set_up("web", settings.log_format)
        app = create_app(settings)
        processes.tune_gc()
        serve(app, settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except PortTakenError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
