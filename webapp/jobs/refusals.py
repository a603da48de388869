"""Refusals that may be the mail server's own affair and not the people's."""

from __future__ import annotations

from webapp.core import mail_answers
from webapp.core.errors import MailServerUnavailableError, MailThrottledError, SenderRefusedError, TemporaryDeliveryError
from webapp.services.mail import claim, results

SEVERAL = 3
"""So many recipients in a row who are refused with the same codes: then it is the server."""


class Refusals:
    """The same refusal of several recipients in a row. Their messages get their outcome once it is known whose affair it is."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._waiting: dict[int, TemporaryDeliveryError | SenderRefusedError] = {}
        """By the message's id."""
        self._has_taken = False

    def end(self, *, has_taken: bool = False) -> set[int]:
        """The row is broken: each refusal was about its recipient. -> the batches whose rows have got an outcome."""
        self._has_taken = self._has_taken or has_taken
        waiting, self._waiting = self._waiting, {}
        return {batch_id for id, error in waiting.items() if (batch_id := self._settle(id, error))}

    def add(self, id: int, error: TemporaryDeliveryError | SenderRefusedError) -> set[int]:
        """One more refusal. -> as `end`.

        Raises MailServerUnavailableError or MailThrottledError where it is the server, and forgets them.
        """
        settled = self.end() if self._is_another(error) else set()
        self._waiting[id] = error
        if isinstance(error, SenderRefusedError):
            if self._has_taken:
                return settled | self.end()
            if len(self._waiting) >= (1 if claim.server_is_held_up() else SEVERAL):
                refused, self._waiting = list(self._waiting), {}
                raise MailServerUnavailableError(str(error), refused)
        elif not mail_answers.may_be_about_pace(str(error)):
            return settled | self.end()
        elif len(self._waiting) >= (1 if claim.is_known_pace(_codes(error)) else SEVERAL) and self._is_pace(error):
            self._waiting = {}
            raise MailThrottledError(str(error))
        return settled

    def _is_another(self, error: TemporaryDeliveryError | SenderRefusedError) -> bool:
        return any(_codes(each) != _codes(error) for each in self._waiting.values())

    def _is_pace(self, error: TemporaryDeliveryError) -> bool:
        """A server that has taken none yet, and does not speak of too many, may want to see each message twice."""
        return self._has_taken or mail_answers.is_about_pace(str(error)) or claim.took_messages_lately()

    def _settle(self, id: int, error: TemporaryDeliveryError | SenderRefusedError) -> int | None:
        if isinstance(error, SenderRefusedError):
            return results.record_failed(id, self._worker, str(error))
        return results.defer(id, self._worker, str(error))


def _codes(error: TemporaryDeliveryError | SenderRefusedError) -> str:
    return error.codes if isinstance(error, SenderRefusedError) else mail_answers.codes(str(error))
