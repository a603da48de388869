"""A mail server that misbehaves at one command, for tests: it hangs, cuts, drips, or says what it is told to say."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Self

HANG, CUT = b"hang", b"cut"
DRIP = b"drip"
"""An answer of ever more lines."""
USUAL = {
    b"": b"220 scripted ESMTP\r\n",
    b"EHLO": b"250-scripted\r\n250-SIZE\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n",
    b"AUTH": b"235 2.7.0 In\r\n",
    b"DATA": b"354 Go on\r\n",
    b"QUIT": b"221 Bye\r\n",
}


class Scripted:
    """`Scripted(RCPT=CUT)`; `GREETING` is what it says first, `DOT` what it says after the message.

    times: how often. after: how often the usual is said first. to: only while a message to this recipient is handed over.
    """

    def __init__(self, times: int | None = None, to: str = "", after: int = 0, **answers: bytes) -> None:
        self._answers = {name.replace("GREETING", "").encode(): answer for name, answer in answers.items()}
        self._left, self._after = times, after
        self._to = to.encode()
        self.silent_at = {name for name, answer in answers.items() if answer == HANG}
        """The commands that are never answered in full."""
        self.on_drip: Callable[[], object] = lambda: None
        """Called once, after the first line that drips."""
        self.taken: list[bytes] = []
        """The messages that came whole, whatever was said to them."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._open):
            each.close()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        lines, recipient = connection.makefile("rb"), b""
        try:
            goes_on = self._say(connection, b"", recipient)
            while goes_on and (line := lines.readline()):
                command = line[:4].upper().strip()
                recipient = line if command == b"RCPT" else b"" if command == b"MAIL" else recipient
                goes_on = self._say(connection, command, recipient)
                if goes_on == b"354 Go on\r\n":
                    message = b"".join(iter(lines.readline, b".\r\n"))
                    self.taken.append(message)
                    goes_on = self._say(connection, b"DOT", recipient)
        except (OSError, ValueError):
            pass  # the client, or the test, has hung up

    def _say(self, connection: socket.socket, command: bytes, recipient: bytes) -> bytes:
        """What was said; nothing where the talk is over."""
        answer = USUAL.get(command, b"250 2.0.0 OK\r\n")
        if command in self._answers and self._left != 0 and self._to in recipient:
            if self._after:
                self._after -= 1
            else:
                self._left = self._left and self._left - 1
                answer = self._answers[command]
        if answer == CUT:
            connection.shutdown(socket.SHUT_RDWR)
        if answer in (CUT, HANG):
            return b""
        while answer == DRIP:
            connection.sendall(b"250-and more\r\n")
            time.sleep(0.05)
            on_drip, self.on_drip = self.on_drip, lambda: None
            on_drip()
        connection.sendall(answer)
        return answer
