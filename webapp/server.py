"""The web server: waitress. A thread gets a request only once it is whole, so slow clients hold none.

`python -m webapp.server`
"""

import errno
import logging
import os
import resource
import signal
import sys
from types import FrameType

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer, create_server

from webapp import create_app, logs, processes
from webapp.config import ConfigError, Settings

THREADS = 8
CONNECTIONS = 1000  # at once; the next ones wait in the kernel's queue
OTHER_FILES = 200  # descriptors for everything that is not a connection: database, queue, templates
WHOLE_REQUEST = 180  # seconds for a request to arrive, and for an idle connection to stay


class PortTaken(Exception):
    """The address cannot be listened on; str() is one line that says why and what to do."""


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection on which dripping bytes are no activity: a request has WHOLE_REQUEST seconds in all."""

    last_activity: float

    def handle_read(self) -> None:
        began, is_within = self.last_activity, self.request is not None
        super().handle_read()
        if is_within and self.request is not None:
            self.last_activity = began


def serve(app: Flask, settings: Settings) -> None:
    """Serve until SystemExit is raised in this thread. Raises PortTaken."""
    BaseWSGIServer.channel_class = Channel
    try:
        server = create_server(
            app,
            host=settings.host,
            port=settings.port,
            threads=THREADS,
            backlog=1024,
            connection_limit=_connection_limit(),
            asyncore_use_poll=True,  # select() ends at descriptor 1023
            channel_timeout=WHOLE_REQUEST,
            # Twice the limit of a file, so that mostly the app refuses, which has a sentence for it.
            max_request_body_size=(2 * settings.max_upload_mb + 1) * 1024 * 1024,
            ident="",
            clear_untrusted_proxy_headers=False,  # create_app believes as many proxies as the settings say
        )
    except (OSError, ValueError) as error:  # ValueError: waitress could not look up the host
        raise PortTaken(why_not(settings.host, settings.port, error)) from None
    server.run()


def why_not(host: str, port: int, error: Exception) -> str:
    """One line on why this address cannot be listened on."""
    address = f"{f'[{host}]' if ':' in host else host}:{port}"
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"Another program listens on {address} already. Stop it, or set MUSTER_PORT to another port."
        case errno.EACCES:
            return f"This user may not listen on {address}. Set MUSTER_PORT to a port above 1023."
        case _:
            return f"{address} is no address of this machine. Set MUSTER_HOST to one, such as 127.0.0.1."


def _connection_limit() -> int:
    """CONNECTIONS, or what the limit of open files leaves (raised as far as it may be).

    A connection needs two: a long body is kept in a temporary file until it is whole.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(20, min(CONNECTIONS, (soft - OTHER_FILES) // 2))


def main() -> int:
    """The exit code: 0 after a stop, 1 when the port is taken, 2 when a setting is wrong."""
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a line for each request that waits for a thread
    processes.follow_parent()

    def stop(signum: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        settings = Settings.from_environment(os.environ)
        logs.set_up("web", settings.log_format)
        app = create_app(settings)
        processes.settle()
        serve(app, settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except PortTaken as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
