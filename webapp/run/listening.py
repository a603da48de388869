"""The sockets that the web server listens on: opened once, and shared by as many processes as there are."""

import errno
import socket
from collections.abc import Iterable

from webapp.settings.fields import ConfigError


def open_sockets(host: str, port: int) -> list[socket.socket]:
    """Open a socket for each address of this host. Nobody can connect until a web server listens.

    Raises ConfigError: with another sentence where only the port is taken.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in _find_addresses(host, port):
            opened.append(made := socket.socket(family, socket.SOCK_STREAM))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind(address)
    except OSError as error:
        close(opened)
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Another program listens on {host}:{port} already. Stop it, or set MUSTER_PORT to another port."
            ) from None
        raise ConfigError(
            f"Muster cannot listen on {host}:{port} ({error}). "
            "Set MUSTER_HOST to an address of this machine, such as 127.0.0.1, and MUSTER_PORT to a free port above 1023."
        ) from None
    return opened


def take_over(descriptors: Iterable[str]) -> list[socket.socket]:
    """The sockets that the supervisor has opened, by the numbers that it gave as arguments."""
    sockets = [socket.socket(fileno=int(number)) for number in descriptors]
    for each in sockets:
        each.set_inheritable(False)
    return sockets


def close(sockets: Iterable[socket.socket]) -> None:
    """Close them in this process; others that share them still listen."""
    for each in sockets:
        each.close()


def _find_addresses(host: str, port: int) -> dict[tuple[int, tuple[str, int]], None]:
    """Family and address of each, none twice."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return dict.fromkeys((family, address) for family, _, _, _, address in found)  # type: ignore[misc]
