"""Broken promises. `webapp.http.errors` turns each into an answer, in one place."""

from __future__ import annotations

from collections.abc import Sequence


class MusterError(Exception):
    """Base of all of ours; `str()` is a sentence for the person."""


class ForbiddenError(MusterError):
    """The person may not do this (403)."""


class NotFoundError(MusterError):
    """No such thing, or none that this person may see (404)."""


class ConflictError(MusterError):
    """Somebody else was first, or the thing is no longer in the state that this needs (409)."""


class BusyError(MusterError):
    """Too much of this is done at the moment; nothing was changed (503)."""


class RuleViolationError(MusterError):
    """What was asked breaks a rule; nothing was changed (422).

    field: the form field that the sentence belongs to, or None.
    link: a (text, address) pair that helps on, or None.
    """

    def __init__(self, sentence: str, *, field: str | None = None, link: tuple[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.field = field
        self.link = link


class RateLimitError(RuleViolationError):
    """Asked for more often than is allowed within a while (422)."""


class PasswordRequiredError(RuleViolationError):
    """It takes one's own password, which was not given (422)."""


class OutOfRankError(NotFoundError):
    """It is about somebody, or a role, ranked above who asks: answered as if it was not there (404)."""


class TemporaryDeliveryError(MusterError):
    """A delivery was put off by the server's own words (SMTP 4xx); the message is due again later."""


class PermanentDeliveryError(MusterError):
    """A delivery was refused for good (SMTP 5xx, or a message that cannot be built)."""


class SenderRefusedError(PermanentDeliveryError):
    """A delivery was refused for good, and the server's words are about the sender.

    codes: the server's, to tell whether two refusals are the same.
    """

    def __init__(self, sentence: str, codes: str) -> None:
        super().__init__(sentence)
        self.codes = codes


class MailServerUnavailableError(MusterError):
    """The connection, the sign-in or the sender was refused: no message's fault, so it costs no message a try.

    refused: ids of the messages by which that was seen.
    """

    def __init__(self, sentence: str, refused: Sequence[int] = ()) -> None:
        super().__init__(sentence)
        self.refused = refused


class MailThrottledError(MusterError):
    """The mail server takes no more messages at this pace; it costs no message a try."""
