"""Posts a webhook by the standard library: no redirect is followed, no proxy used, and no answer waited for longer than 10 s."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

SECONDS = 10.0
"""For the connection; and again for sending and the whole answer."""
LONGEST = 2_000
"""Bytes that are read of an answer's body."""
SHOWN = 200
"""Characters that are kept of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request. status: None where there was no answer. code: of `core.text.webhook_phrases`."""

    status: int | None
    code: str
    words: str = ""
    ms: int = 0

    @property
    def is_taken(self) -> bool:
        """Whether the receiver has the event: 2xx alone says so."""
        return self.status is not None and 200 <= self.status < 300


class LinkLocalError(OSError):
    """The address serves the machine itself, such as a cloud's metadata, and no receiver."""


def is_link_local(address: str) -> bool:
    """Whether an IP address is link-local, also as IPv4 within IPv6. False for what is none."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_link_local


def post(url: str, headers: Mapping[str, str], body: bytes, ca_file: str = "") -> Answer:
    """Post once. ca_file: authorities to trust besides the system's. Never raises for what the network or receiver does."""
    began = time.monotonic()
    status = None
    words = ""
    try:
        status, words = _exchange(url, headers, body, ca_file)
        code = "answered"
    except LinkLocalError:
        code = "link_local"
    except TimeoutError:
        code = "timeout"
    except ssl.SSLCertVerificationError as error:
        code = "certificate"
        words = error.verify_message
    except (
        socket.gaierror,
        ValueError,
    ):  # a name that cannot be looked up, such as one with two dots
        code = "name"
    except (OSError, http.client.HTTPException) as error:
        code = "broken"
        words = getattr(error, "strerror", None) or type(error).__name__
    ms = round((time.monotonic() - began) * 1000)
    return Answer(status, code, _printable(words), ms)


def _exchange(url: str, headers: Mapping[str, str], body: bytes, ca_file: str) -> tuple[int, str]:
    """-> the status, and the beginning of the body. Raises OSError, HTTPException, and ValueError for an impossible name."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=SECONDS)
    is_late = threading.Event()
    # the time-out of a socket begins again with each byte
    timer = threading.Timer(SECONDS, _cut, (connection, is_late))
    timer.daemon = True
    try:
        place = connection.host, connection.port
        connection.sock = socket.create_connection(place, SECONDS)
        _refuse_link_local(connection.sock)
        timer.start()
        if is_tls:
            _begin_tls(connection, ca_file)
        connection.request("POST", _path(url), body, dict(headers))
        answer = connection.getresponse()
        return answer.status, _read(answer)
    except (OSError, http.client.HTTPException):
        if is_late.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
        connection.close()


def _begin_tls(connection: http.client.HTTPConnection, ca_file: str) -> None:
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    wrapped = context.wrap_socket(
        connection.sock,
        server_hostname=connection.host,
        do_handshake_on_connect=False,
    )
    connection.sock = wrapped  # so that the timer can cut it off
    wrapped.do_handshake()


def _read(answer: http.client.HTTPResponse) -> str:
    """The beginning of the body. The status alone counts: a body that breaks off changes nothing."""
    with suppress(OSError, http.client.HTTPException):
        return answer.read(LONGEST).decode("utf-8", "replace")
    return ""


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _refuse_link_local(sock: socket.socket) -> None:
    """Look at who answers, not at the name: it may lead elsewhere the next time."""
    if is_link_local(sock.getpeername()[0]):
        raise LinkLocalError


def _cut(connection: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    with suppress(OSError):
        # that of the plain socket: TLS keeps its state for the thread that reads just now
        socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _printable(words: str) -> str:
    line = " ".join(words.split())
    return "".join(each for each in line if each.isprintable())[:SHOWN]
