"""A question that is asked beside the request: a frozen database holds up no monitor, and no more than one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Flask, current_app

T = TypeVar("T")


class TimedOutError(Exception):
    """The patience was over before there was an answer."""


@dataclass
class _Asked:
    answer: Future[Any] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


@dataclass
class _Open:
    """Questions of one app that have no answer yet."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: dict[str, _Asked] = field(default_factory=dict)


def ask(question: Callable[[], T], patience: float) -> T:
    """The answer of `question`, a function of ours, which gets an app context of its own.

    Raises TimedOutError, and what it raises.

    While one asker waits, others share the answer. A question that hangs is not asked a second time: until it ends,
    all get TimedOutError at once.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    here: _Open = app.extensions.setdefault("muster_questions", _Open())
    name = f"{question.__module__}.{question.__qualname__}"
    with here.lock:
        asked = here.asked.get(name)
        if asked is None:
            asked = here.asked[name] = _Asked()
            threading.Thread(target=_answer, args=(app, here, name, question), name=name, daemon=True).start()
    try:
        found: T = asked.answer.result(max(0.0, asked.since + patience - time.monotonic()))
    except NotYet:
        raise TimedOutError("no answer in time") from None
    return found


def _answer(app: Flask, here: _Open, name: str, question: Callable[[], Any]) -> None:
    asked = here.asked[name]
    found: Any = None
    failure: BaseException | None = None
    try:
        with app.app_context():
            found = question()
    except BaseException as error:
        failure = error
    with here.lock:
        del here.asked[name]
    if failure:
        asked.answer.set_exception(failure)
    else:
        asked.answer.set_result(found)
