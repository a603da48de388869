"""A mail server for tests: a real one, on a free port of this machine, that keeps what it is given.

    with Sink() as sink:
        ... MUSTER_MAIL_URL=sink.url ...
        sink.answer("full@northfield.example", "552 5.2.2 Over quota")
        assert sink.recipients == ["ines@northfield.example"]

It can also greet unwell, hang, hang up, ask for a sign-in, speak TLS (with tests/smtp_sink.pem, for localhost), and
leave out SMTPUTF8.
"""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.ports import free_port

CERTIFICATE = Path(__file__).parent / "smtp_sink.pem"
HANG, CUT = "hang", "cut"
"""What `answer` takes in place of an SMTP answer: no answer for an hour; the connection ends."""


@dataclass(frozen=True)
class Received:
    """One message as it came: its envelope, its bytes, and what they say."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def mime(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)

    @property
    def text(self) -> str:
        """The plain part, its lines as they were before they travelled."""
        part = self.mime.get_body(("plain",))
        return str(part.get_content()).replace("\r\n", "\n") if part else ""


@dataclass
class Rule:
    """What is answered instead of yes, and how often; None: always."""

    answer: str
    times: int | None


@dataclass
class Sink:
    """The server. tls: None, "starttls" or "smtps". user, password: the sign-in that it wants, if any."""

    smtputf8: bool = True
    tls: str | None = None
    user: str = ""
    password: str = ""
    messages: list[Received] = field(default_factory=list)
    connections: int = 0
    on_message: Callable[[Received], None] | None = None
    """Called in the server's thread, before the message is answered."""
    _rules: dict[tuple[str, str], Rule] = field(default_factory=dict)
    _controller: Controller | None = None
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """As MUSTER_MAIL_URL takes it."""
        scheme = {None: "smtp", "starttls": "smtp+starttls", "smtps": "smtps"}[self.tls]
        who = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@" if self.user else ""
        return f"{scheme}://{who}localhost:{self.port}"

    @property
    def recipients(self) -> list[str]:
        """Who got something, in the order of arrival, as often as they did."""
        return [recipient for message in self.messages for recipient in message.recipients]

    def answer(self, address: str, answer: str, *, at: str = "rcpt", times: int | None = None) -> None:
        """Say `answer` ("451 4.7.1 Later", HANG, CUT) to mail for this address. at: "rcpt", or "data" (after the message).

        What is cut or hangs at "data" has been received. `answer(sender, …, at="mail")` is for MAIL FROM.
        """
        self._rules[at, address] = Rule(answer, times)

    def forget(self) -> None:
        """Every answer is the usual one again."""
        self._rules.clear()

    def start(self) -> Self:
        """Listen; again after `stop`, on the same port."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(CERTIFICATE)
        more: dict[str, Any] = {"tls_context": context, "require_starttls": True} if self.tls == "starttls" else {}
        if self.user:
            more |= {"authenticator": self._judge, "auth_required": True, "auth_require_tls": False}
        self._controller = _Server(
            self,
            _Handler(self),
            hostname="127.0.0.1",
            port=self.port,
            enable_SMTPUTF8=self.smtputf8,
            ssl_context=context if self.tls == "smtps" else None,
            **more,
        )
        self._controller.start()
        return self

    def stop(self) -> None:
        """Hang up and listen no more; what was received stays."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def next_answer(self, at: str, address: str) -> str | None:
        """What is said to this address now; None is yes."""
        rule = self._rules.get((at, address))
        if rule is None or rule.times == 0:
            return None
        if rule.times is not None:
            rule.times -= 1
        return rule.answer

    def _judge(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        right = LoginPassword(self.user.encode(), self.password.encode())
        return AuthResult(success=given == right, handled=False)


class _Server(Controller):
    """Tells the sink of each connection."""

    def __init__(self, sink: Sink, *args: Any, **kwargs: Any) -> None:
        self._sink = sink
        super().__init__(*args, **kwargs)
        self.ready_timeout = 60.0

    def factory(self) -> SMTP:
        self._sink.connections += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a sign-in without TLS is for this machine only
            return super().factory()

    def _trigger_server(self) -> None:
        """Starting looks in once itself: that one does not count."""
        super()._trigger_server()
        self._sink.connections -= 1


class _Handler:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        envelope.mail_from = address
        return await self._say(server, "mail", [address])

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        answer = await self._say(server, "rcpt", [address])
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        received = Received(envelope.mail_from or "", list(envelope.rcpt_tos), raw)
        if self._sink.on_message:
            self._sink.on_message(received)
        planned = [
            rule.answer for rule in (self._sink._rules.get(("data", a)) for a in received.recipients) if rule and rule.times != 0
        ]
        if not planned or planned[0] in (HANG, CUT):
            self._sink.messages.append(received)
        return await self._say(server, "data", received.recipients)

    async def _say(self, server: SMTP, at: str, addresses: list[str]) -> str:
        answer = next((said for address in addresses if (said := self._sink.next_answer(at, address))), "250 2.0.0 OK")
        if answer == HANG:
            await asyncio.sleep(3600)
        if answer == CUT:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return answer
