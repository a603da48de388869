"""smtplib's client with deadlines by the clock.

In smtplib every byte that comes begins the time-out anew, so a server that drips holds a worker for as long as it likes.
"""

from __future__ import annotations

import smtplib
import socket
import time
from typing import Any

LONGEST_ANSWER = 64 * 1024
"""Bytes, all lines of it: nobody says more to one command, unless it never ends."""


class Client(smtplib.SMTP):
    """One connection. What it waits for has come `within` so many seconds, all together, or TimeoutError is the cause."""

    def __init__(self, host: str, port: int, local_name: str, seconds: float, **more: Any) -> None:
        self.within(seconds)
        super().__init__(host, port, local_name, timeout=seconds, **more)

    def within(self, seconds: float) -> None:
        """The deadline of everything from here on, until the next one is set."""
        self._ends_at = time.monotonic() + seconds

    def limit(self, sock: socket.socket, share: float = 1) -> None:
        """Let the next step on it wait no longer than is left, or than a share of that. Raises TimeoutError."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left * share)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """As smtplib's; each address of the host waits for its share of what is left, so that one that is silent leaves time
        for the next."""
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failed: OSError = TimeoutError()
        for n, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                self.limit(sock, share=1 / (len(addresses) - n))
                sock.connect(address)
                return sock
            except OSError as error:
                sock.close()
                failed = error
        raise failed

    def send(self, s: Any) -> None:
        """As smtplib's."""
        if self.sock:
            self.limit(self.sock)
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's."""
        if self.file is None and self.sock:
            self.file = _Lines(self, self.sock)
        if self.file:
            self.file.begin()
        return super().getreply()


class ClientOverTls(Client, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte (give it a `context`)."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = super()._get_socket(host, port, timeout)
        self.limit(sock)
        return self.context.wrap_socket(sock, server_hostname=host)


class _Lines:
    """What smtplib reads answers from, in the place of a file."""

    def __init__(self, client: Client, sock: socket.socket) -> None:
        self._client, self._sock = client, sock
        self._read = b""

    def begin(self) -> None:
        """An answer begins."""
        self._left = LONGEST_ANSWER

    def readline(self, limit: int) -> bytes:
        """A line with its end, or `limit` bytes of it; what there is where the connection ends."""
        while b"\n" not in self._read and len(self._read) < limit:
            self._client.limit(self._sock)
            more = self._sock.recv(4096)
            self._left -= len(more)
            if self._left < 0:
                raise OSError("its answer does not end")
            if not more:
                break
            self._read += more
        end = min(self._read.find(b"\n") + 1 or limit, limit)
        line, self._read = self._read[:end], self._read[end:]
        return line

    def close(self) -> None:
        """The socket is smtplib's to close."""
