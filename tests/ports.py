"""A port for a server that a test starts."""

from __future__ import annotations

import itertools
import random
import socket

FROM, TO = 10_000, 32_000
"""Below what the system itself gives out, to clients and to port 0: nobody is given a port between its choice and its use."""

_candidates = itertools.cycle([*range(start := random.randrange(FROM, TO), TO), *range(FROM, start)])


def free_port() -> int:
    """A port of this machine that nobody listens on, and never the same twice."""
    for port in _candidates:
        with socket.socket() as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                attempt.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there are always candidates")
