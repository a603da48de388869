"""A mail server in a process of its own, which notes what it saw and behaves as badly as it is told.

    with MailServer(folder) as mail:
        ... MUSTER_MAIL_URL=mail.url ...
        mail.plan("dot", HOLD)                 # the next message is whole, and is not answered
        mail.wait_for("held", at="dot")
        ...                                    # kill the one that waits for the answer
        mail.go()

Its log is append-only and outlives it: one JSON object a line, with the time. It is written before anybody hears of it, so that
what the log does not know did not happen. `checker.handed_over` reads it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

from tests.ports import free_port

TOP = Path(__file__).parents[2]
HOLD, CUT = "hold", "cut"
"""What a plan says in place of an SMTP answer: nothing is said until `go`; the connection is reset."""
POINTS = ("greeting", "ehlo", "mail", "rcpt", "data", "middle", "dot")
"""Where a plan applies. middle: half of the message is read; dot: all of it. What is held or cut at "dot" was taken."""
PATIENCE = 30  # seconds
LINK = re.compile(rb"/invitations/([\w-]+)")


class MailServer:
    """The test's end of it. What it is told holds at once, and from one start to the next it forgets it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "mail.log"
        self.log.touch()
        self.port, self._steer = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """As MUSTER_MAIL_URL takes it."""
        return f"smtp://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Listen; again after `kill`, on the same port."""
        argv = [sys.executable, "-m", "tests.faults.mail_server", str(self.port), str(self._steer), str(self.log)]
        self._process = subprocess.Popen(argv, cwd=TOP, stdin=subprocess.PIPE)  # it ends with our end of the pipe
        deadline = time.monotonic() + PATIENCE
        while not self._tell({"do": "nothing"}):
            assert time.monotonic() < deadline, "the mail server listens"
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """Gone in the midst of it, connections and all; the log stays. From then on connections are refused."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def plan(self, at: str, answer: str, *, to: str = "", times: int | None = 1) -> None:
        """At this point say `answer` (HOLD, CUT or "451 4.7.1 Later"); to: only for recipients that hold this; None: always."""
        assert at in POINTS
        assert self._tell({"do": "plan", "rule": {"at": at, "answer": answer, "to": to, "times": times}})

    def go(self) -> None:
        """What was held goes on, and nothing is planned any more."""
        self._tell({"do": "go"})

    def events(self) -> list[dict[str, Any]]:
        """The log so far."""
        return read_log(self.log)

    @contextmanager
    def expecting(self, what: str, **wanted: Any) -> Iterator[None]:
        """`with mail.expecting("held", at="dot"): …` waits for such a line that was not there before."""
        before = len(self.events())
        yield
        deadline = time.monotonic() + PATIENCE
        wanted["event"] = what
        while not any(wanted.items() <= event.items() for event in self.events()[before:]):
            assert time.monotonic() < deadline, f"the mail server notes {wanted}; it noted {self.events()[before:]}"
            time.sleep(0.02)

    def _tell(self, order: dict[str, Any]) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._steer), timeout=PATIENCE) as steering:
            steering.sendall(json.dumps(order).encode() + b"\n")
            return steering.recv(16) == b"done\n"
        return False


def read_log(log: Path) -> list[dict[str, Any]]:
    """Its whole lines: a killed server may leave half of one."""
    return [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]


# The server's end


@dataclass
class Rule:
    at: str
    answer: str
    to: str
    times: int | None


class CutError(Exception):
    """The connection is reset here."""


class Server:
    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.rules: list[Rule] = []
        self.gate = asyncio.Event()
        self.numbers = count(1)

    def note(self, event: str, **more: Any) -> None:
        line = {"time": time.time(), "event": event, **more}
        os.write(self._log, json.dumps(line).encode() + b"\n")

    def next_answer(self, at: str, recipient: str) -> str | None:
        for rule in self.rules:
            if rule.at == at and rule.to in recipient and rule.times != 0:
                rule.times = None if rule.times is None else rule.times - 1
                return rule.answer
        return None

    async def steer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        order = json.loads(await reader.readline())
        if order["do"] == "plan":
            self.rules.append(Rule(**order["rule"]))
        if order["do"] == "go":
            self.rules.clear()
            self.gate.set()
            self.gate = asyncio.Event()
        writer.write(b"done\n")
        await writer.drain()
        writer.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        with suppress(OSError, asyncio.IncompleteReadError, CutError):
            await connection.talk()
        self.note("ended", connection=connection.number, number=connection.message)
        writer.close()


class Connection:
    """One client, from greeting to goodbye."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self.number = f"{os.getpid()}-{next(server.numbers)}"
        self.message = ""
        """The hand-over that was begun last, until it is known that its answer was read."""
        self._recipient = ""

    async def talk(self) -> None:
        await self._say("greeting", "220 faults ESMTP")
        while line := await self._reader.readline():
            if self.message:  # it could only go on because it has read the answer
                self._server.note("read", number=self.message)
                self.message = ""
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    await self._say("ehlo", "250-faults\r\n250-SIZE 10000000\r\n250 SMTPUTF8")
                case "MAIL":
                    await self._say("mail", "250 2.1.0 OK")
                case "RCPT":
                    self._recipient = rest.partition("<")[2].partition(">")[0]
                    await self._say("rcpt", "250 2.1.5 OK")
                case "DATA":
                    await self._take()
                case "QUIT":
                    await self._write("221 2.0.0 Bye")
                    return
                case _:
                    await self._write("250 2.0.0 OK")

    async def _take(self) -> None:
        if not await self._say("data", "354 Go ahead"):
            return
        self.message = f"{self.number}-{next(self._server.numbers)}"
        self._server.note("begun", number=self.message, recipient=self._recipient)
        data = await self._reader.readexactly(200)
        if planned := self._server.next_answer("middle", self._recipient):
            await self._obey("middle", planned)
        data += await self._reader.readuntil(b"\r\n.\r\n")
        planned = self._server.next_answer("dot", self._recipient)
        answer = planned if planned and planned not in (HOLD, CUT) else "250 2.0.0 Taken"
        self._server.note("whole", number=self.message, recipient=self._recipient, taken=answer.startswith("2"), **_told(data))
        if planned in (HOLD, CUT):
            await self._obey("dot", planned)
        if self._reader.at_eof():  # nobody is there to hear it
            raise CutError
        await self._write(answer)
        self._server.note("answered", number=self.message, answer=answer)

    async def _say(self, at: str, answer: str) -> bool:
        """-> whether it was the answer that is usual here."""
        planned = self._server.next_answer(at, self._recipient if at in ("rcpt", "data") else "")
        if planned in (HOLD, CUT):
            await self._obey(at, planned)
        elif planned:
            known = self._recipient if at in ("rcpt", "data") else ""
            self._server.note("refused", at=at, recipient=known, answer=planned)
            await self._write(planned)
            if planned.startswith("421"):
                raise CutError
            return False
        await self._write(answer)
        return True

    async def _obey(self, at: str, planned: str) -> None:
        gate = self._server.gate
        self._server.note("held" if planned == HOLD else "cut", at=at, recipient=self._recipient)
        if planned == CUT:
            self._writer.transport.abort()
            raise CutError
        await gate.wait()

    async def _write(self, answer: str) -> None:
        self._writer.write(answer.encode() + b"\r\n")
        await self._writer.drain()


def _told(data: bytes) -> dict[str, str]:
    found = re.search(rb"(?im)^message-id:\s*(<[^>]+>)", data)
    plain = re.sub(rb"=\r\n", b"", data)
    link = LINK.search(plain)
    return {"message_id": found[1].decode() if found else "", "token": link[1].decode() if link else ""}


async def _main(port: int, steering: int, log: Path) -> None:
    server = Server(log)
    await asyncio.start_server(server.steer, "127.0.0.1", steering)
    await asyncio.start_server(server.serve, "127.0.0.1", port, limit=1 << 24)
    server.note("listening", pid=os.getpid())
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
