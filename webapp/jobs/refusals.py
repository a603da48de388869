"""Tells refusals of single recipients from refusals that concern every message."""

from __future__ import annotations

from webapp.core import mail_answers
from webapp.mail.errors import (
    MailServerUnavailableError,
    MailThrottledError,
    SenderRefusedError,
    TemporaryDeliveryError,
)
from webapp.services.mail import claim, results
from webapp.services.mail.claim import ServerState

SEVERAL = 3
"""After so many recipients in a row that are refused with the same codes, it is the server."""

Refusal = TemporaryDeliveryError | SenderRefusedError


class Refusals:
    """Collects identical refusals that follow each other, until it is clear whether a recipient or the server is the cause.

    Then their results are recorded.
    """

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._waiting: dict[int, Refusal] = {}
        """By the message's id."""
        self._has_taken = False

    def end(self, *, has_taken: bool = False) -> set[int]:
        """Record each collected refusal as its recipient's own. Returns the batches whose rows it settled."""
        self._has_taken = self._has_taken or has_taken
        waiting = self._waiting
        self._waiting = {}
        batch_ids = {self._record(message_id, error) for message_id, error in waiting.items()}
        return {batch_id for batch_id in batch_ids if batch_id}

    def add(self, message_id: int, error: Refusal) -> set[int]:
        """Add a refusal. Returns as `end` does.

        Raises MailServerUnavailableError or MailThrottledError if the server is the cause, and forgets the refusals.
        """
        is_another = any(_codes(each) != _codes(error) for each in self._waiting.values())
        settled = self.end() if is_another else set()
        self._waiting[message_id] = error
        if self._is_about_recipient(error):
            return settled | self.end()
        state = claim.server_state()
        if isinstance(error, SenderRefusedError):
            if len(self._waiting) >= (1 if state.is_held_up else SEVERAL):
                raise MailServerUnavailableError(**error.answer, refused=self._forget())
        elif len(self._waiting) >= (
            1 if state.pace_codes == _codes(error) else SEVERAL
        ) and self._is_pace(error, state):
            self._forget()
            raise MailThrottledError(**error.answer)
        return settled

    def _is_about_recipient(self, error: Refusal) -> bool:
        if isinstance(error, SenderRefusedError):
            return self._has_taken
        return not mail_answers.may_be_about_pace(error.answer["words"])

    def _is_pace(self, error: Refusal, state: ServerState) -> bool:
        """Whether this 4xx is a rate limit and not greylisting."""
        return (
            self._has_taken
            or state.took_lately
            or mail_answers.is_about_pace(error.answer["words"])
        )

    def _forget(self) -> list[int]:
        ids = list(self._waiting)
        self._waiting = {}
        return ids

    def _record(self, message_id: int, error: Refusal) -> int | None:
        if isinstance(error, SenderRefusedError):
            return results.record_failed(message_id, self._worker, error.answer)
        return results.defer(message_id, self._worker, error.answer)


def _codes(error: Refusal) -> str:
    return mail_answers.codes(error.answer["words"])
