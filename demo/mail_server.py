"""The demo's mail server: it keeps each e-mail as a file. Some addresses it refuses, and some it puts off.

`python -m demo.mail_server PORT FOLDER`
"""

import re
import socketserver
import sys
import time
from pathlib import Path

ANSWERS = {
    "oldmail.example": "550 5.1.1 No such user here",
    "agency.example": "451 4.7.1 Greylisted, come back later",
}
"""What is said to mail for these domains, always."""


class Talk(socketserver.StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        self.say("220 The demo’s mail server")
        recipient = ""
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            reply = "250 2.0.0 OK"
            if verb == "EHLO":
                reply = "250-demo\r\n250 SMTPUTF8"
            elif verb == "RCPT":
                recipient = line.partition("<")[2].partition(">")[0]
                reply = ANSWERS.get(recipient.rpartition("@")[2], reply)
            elif verb == "DATA":
                self.say("354 Go on")
                self.keep(recipient)
            self.say(reply)

    def say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())

    def keep(self, recipient: str) -> None:
        """Write the e-mail that follows to a file."""
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        name = re.sub(r"[^\w.@+-]", "_", recipient)
        folder = Path(sys.argv[2])
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / f"{time.time_ns()}-{name}.eml").write_bytes(b"".join(lines))


if __name__ == "__main__":
    socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Talk).serve_forever()
