"""The web server: waitress. A thread gets a request when it is complete, and is free when its answer is made.

So no client holds a thread by writing slowly or by not reading: waitress keeps what is not read yet in temporary
files. Connections are what clients can hold, and their number is limited here. Monitors have threads of their own.

`python -m webapp.server`. The supervisor adds the numbers of the sockets that all its web processes share.
"""

from __future__ import annotations

import logging
import re
import resource
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

import waitress.server
from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, TcpWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from webapp.app import create_app
from webapp.core.security.peers import place_of
from webapp.run import listening, processes, program
from webapp.settings.fields import ConfigError
from webapp.settings.settings import Settings

CONNECTIONS = 1000
"""At once, of each process; the next ones wait in the kernel's queue."""
OTHER_FILES = 200
"""File descriptors for everything that is not a connection: database, queue, templates."""
WHOLE_REQUEST = 180
"""Seconds for a request to arrive, and for an idle connection of a trusted proxy."""
IDLE = 20
"""Seconds that any other connection stays without a request."""
STALLED = 60
"""Seconds that an answer waits for a client that reads nothing of it."""
MONITORS = 6
"""Threads for `MONITORING` alone."""

MONITORING = re.compile(r"/healthz/live|/healthz|/metrics")
SLOW = re.compile(
    r"POST /batches|[A-Z]+ (/batches/\d+/(file|mapping)|/(?!batches/template).*\.(csv|jsonl))"
)
"""Files to be read and files to be saved: these wait for each other, and block no page."""


class ServerErrorTask(ErrorTask):  # type: ignore[misc]
    """The server's own answer to a request that no view gets: neither sniffed nor framed, as all answers are."""

    def execute(self) -> None:
        self.response_headers += [
            ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        super().execute()


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection."""

    error_task_class = ServerErrorTask
    request_began = 0.0

    def __init__(self, server: Server, sock: Any, addr: Any, *args: Any, **options: Any) -> None:
        self.peer = place_of(addr[0])
        super().__init__(server, sock, addr, *args, **options)
        server.make_room(self)

    def received(self, data: bytes) -> bool:
        if self.request is None:
            self.request_began = time.time()
        return bool(super().received(data))

    def is_waiting(self) -> bool:
        """Whether it is the client's turn: no request is being answered, and no answer waits to be read."""
        return not self.requests and not self.total_outbufs_len

    def is_overdue(self, now: float, idle: float) -> bool:
        """Whether the client took too long. A request has WHOLE_REQUEST in all, however it drips in."""
        if self.total_outbufs_len:
            return bool(now - self.last_activity > STALLED)
        if self.requests:
            return False
        if self.request is not None:
            return now - self.request_began > WHOLE_REQUEST
        return bool(now - self.last_activity > idle)


class Threads(ThreadedTaskDispatcher):  # type: ignore[misc]
    """The threads that answer: for pages, half as many for slow work, and some for monitors, who wait for nobody."""

    def __init__(self, threads: int, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        self.slow = ThreadedTaskDispatcher()
        self.monitors = ThreadedTaskDispatcher()
        self.set_thread_count(threads)
        self.slow.set_thread_count(threads // 2)
        self.monitors.set_thread_count(MONITORS)

    def add_task(self, task: Channel) -> None:
        request = task.requests[0]
        # a broken request has neither
        path = getattr(request, "path", "").removeprefix(self.prefix)
        command = getattr(request, "command", "")
        if MONITORING.fullmatch(path):
            self.monitors.add_task(task)
        elif SLOW.fullmatch(f"{command} {path}"):
            self.slow.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5) -> bool:
        self.slow.set_thread_count(0)
        self.monitors.set_thread_count(0)
        return bool(super().shutdown(cancel_pending, timeout))


class Server(TcpWSGIServer):  # type: ignore[misc]
    """The listening socket, and the limits of its connections."""

    channel_class = Channel
    is_behind_proxy = False
    """Whether all connections come from a proxy, which limits its own clients."""

    def maintenance(self, now: float) -> None:
        """Close connections whose clients took too long. waitress calls this once a second."""
        idle = WHOLE_REQUEST if self.is_behind_proxy else IDLE
        for channel in list(self.active_channels.values()):
            if channel.is_overdue(now, idle):
                channel.handle_close()

    def make_room(self, new: Channel) -> None:
        """Close the connection of a peer that has waited longest if the peer has more than a quarter of all."""
        channels = [each for each in self.active_channels.values() if each.peer == new.peer]
        if self.is_behind_proxy or len(channels) <= self.adj.connection_limit // 4:
            return
        waiting = [each for each in channels if each.is_waiting()]
        min(waiting, key=lambda each: float(each.last_activity), default=new).handle_close()


def make_server(
    app: Flask, settings: Settings, sockets: Sequence[socket.socket] = ()
) -> BaseWSGIServer:
    """The server of this process, listening; `run()` serves until SystemExit.

    sockets: those that it shares with others; else it opens its own. Raises ConfigError.
    """
    sockets = sockets or listening.open_sockets(settings.host, settings.port)
    waitress.server.TcpWSGIServer = Server  # `create_server` makes it by this name
    Server.is_behind_proxy = settings.trusted_proxies > 0
    return create_server(
        app,
        sockets=list(sockets),
        _dispatcher=Threads(settings.threads, settings.prefix),
        backlog=1024,
        connection_limit=_connection_limit(),
        asyncore_use_poll=True,  # select() ends at descriptor 1023
        cleanup_interval=1,
        outbuf_high_watermark=sys.maxsize,  # a thread never waits for a reader
        # Twice the limit of a file, so that mostly the app refuses, which has a sentence for it.
        max_request_body_size=(2 * settings.max_upload_mb + 1) * 1024 * 1024,
        ident="",
        clear_untrusted_proxy_headers=False,  # create_app trusts as many proxies as the settings say
    )


def _connection_limit() -> int:
    """CONNECTIONS, or what the limit of open files allows: each needs two, as a long body is kept in a file."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 2 * CONNECTIONS + OTHER_FILES
    if most != resource.RLIM_INFINITY:
        files = min(files, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return max(20, (files - OTHER_FILES) // 2)


def main(descriptors: Sequence[str] = ()) -> int:
    """The exit code: 0 after a stop, 1 when the port is taken. descriptors: of the sockets that are shared."""
    # a line for each request that waits for a thread
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    settings = program.begin("web")
    app = create_app(settings)
    processes.tune_gc()
    try:
        make_server(app, settings, listening.take_over(descriptors)).run()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
