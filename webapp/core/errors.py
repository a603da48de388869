"""Errors whose text is a sentence for the person. `webapp.http.errors` turns each into an answer."""

from __future__ import annotations


class MusterError(Exception):
    """Base of all our errors; `str()` is a sentence for the person.

    status: the answer's status code. title: its heading, "" for the usual one of the status. refusal: as what the audit log
    counts it, or "".
    """

    status = 500
    title = ""
    refusal = ""


class UnauthorizedError(MusterError):
    """A program showed no token, or none that works."""

    status = 401

    def __init__(self, text: str = "Send an API token: Authorization: Bearer muster_…") -> None:
        super().__init__(text)


class ForbiddenError(MusterError):
    """The person may not do this."""

    status = 403
    refusal = "access.refused"

    def __init__(
        self, text: str = "Your role does not include this. Ask an administrator if you need it."
    ) -> None:
        super().__init__(text)


class NotFoundError(MusterError):
    """No such thing, or none that this person may see."""

    status = 404


class OutOfRankError(NotFoundError):
    """The person or role ranks above the current user: answered as if it did not exist."""

    refusal = "rank.refused"


class VersionMissingError(MusterError):
    """A program did not say which version it has seen."""

    status = 428


class VersionOutdatedError(MusterError):
    """What a program has seen is not there any more; nothing was changed."""

    status = 412


class ConflictError(MusterError):
    """Someone else was first, or the thing is no longer in the state that this needs."""

    status = 409


class BusyError(MusterError):
    """Too much of this is being done at the moment; nothing was changed."""

    status = 503


class RuleViolationError(MusterError):
    """What was asked breaks a rule; nothing was changed.

    field: the form field that the sentence belongs to, or None.
    """

    status = 422

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


class RateLimitError(RuleViolationError):
    """Asked for more often than is allowed within a while."""

    status = 429
    refusal = "limit.refused"


class TooManyTriesError(MusterError):
    """Too many wrong passwords or codes within a while."""

    status = 429


class PasswordRequiredError(RuleViolationError):
    """It takes one's own password, which was not given. why: what it is for, and what was not done."""

    def __init__(self, why: str) -> None:
        super().__init__(f"Type your password: {why}")
        self.why = why


class ProviderError(Exception):
    """The provider of single sign-on cannot be used now.

    code: why, by `core.text.entry_phrases`. str(): for the log and the doctor.
    """

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
