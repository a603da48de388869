"""Fixtures of the jobs' tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from webapp.jobs import stopping

from tests.smtp_sink import Sink


@pytest.fixture
def sink(change_settings: Callable[..., Any]) -> Iterator[Sink]:
    """A mail server, set as MUSTER_MAIL_URL."""
    with Sink() as server:
        change_settings(mail_url=server.url, mail_from="Muster <muster@northfield.example>")
        yield server


@pytest.fixture
def stop_asked() -> Iterator[Callable[[], None]]:
    """Call it, and the worker is asked to stop, until the test ends."""
    yield stopping.set
    stopping.clear()
