"""Why a message was not handed over. Each error carries a code with its parameters; `core.text.mail_phrases` words it."""

from __future__ import annotations

from typing import Any

from webapp.core.errors import MusterError
from webapp.core.text.mail_phrases import describe_mail


class MailError(MusterError):
    """A message was not handed over, or perhaps not. answer: the code and its parameters."""

    def __init__(self, code: str, **params: Any) -> None:
        self.answer: dict[str, Any] = {"code": code, **params}
        super().__init__(describe_mail(self.answer))


class TemporaryDeliveryError(MailError):
    """The server puts the message off (SMTP 4xx); it is due again later."""


class PermanentDeliveryError(MailError):
    """The message is refused for good (SMTP 5xx), or cannot be built."""


class SenderRefusedError(MailError):
    """The message is refused for its sender, once its recipient was told: perhaps all others are, too."""


class ConnectionLostError(MailError):
    """The connection failed before the message was handed over; where it had just been opened, the message may be the cause."""


class UncertainDeliveryError(MailError):
    """The connection failed while the message was handed over: the server may have taken it."""


class MailServerUnavailableError(MailError):
    """The connection, the sign-in or the sender was refused: no message's fault, so it costs no message a try."""


class MailThrottledError(MailError):
    """The mail server takes no more messages at this pace; it costs no message a try."""
