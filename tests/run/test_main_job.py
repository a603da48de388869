"""The main job by real processes; on PostgreSQL by those of two machines, which share nothing but database and queue."""

from __future__ import annotations

import re
import urllib.error
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import PASSWORD
from tests.person import OWNER, Person
from tests.run.conftest import Muster, wait_until
from tests.smtp_sink import Sink

pytestmark = pytest.mark.slow

INES, JONAS = "ines.carvalho@northfield.example", "jonas.weber@northfield.example"
PEOPLE = f"Email,Role,Groups\n{INES},Analyst,Student Devices\n{JONAS},Remote,\n"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server


@pytest.fixture
def machines(tmp_path: Path, sink: Sink, elsewhere: dict[str, str]) -> Iterator[list[Muster]]:
    """Started at the same moment on an empty database."""
    settings = {
        "MUSTER_OWNER_EMAIL": OWNER,
        "MUSTER_OWNER_PASSWORD": PASSWORD,
        "MUSTER_GROUPS": "Student Devices",
        "MUSTER_MAIL_URL": sink.url,
        "MUSTER_SECRET_KEY": "the same key on every machine, kept where only they can read it",
        "MUSTER_PUBLIC_URL": "http://127.0.0.1:8000",
        "MUSTER_WORKERS": "1",
        **elsewhere,
    }
    runs = [Muster(tmp_path / f"machine{n}", **settings) for n in range(2 if elsewhere else 1)]
    try:
        for run in runs:
            run.start()
        for run in runs:
            wait_until(lambda run=run: "Muster is running at" in run.output() or run.ended(), "it runs")
            assert not run.ended(), run.output()
        yield runs
        for run in runs:
            assert run.stop() == 0, run.output()
            assert "Traceback" not in run.output(), run.output()
    finally:
        for run in runs:
            run.clean_up()


def test_from_a_pasted_table_to_accepted_invitations(machines: list[Muster], sink: Sink) -> None:
    here, there = machines[0], machines[-1]
    owner, ines = Person(), Person()
    owner.post(here, "/sign-in", "/sign-in", email=OWNER, password=PASSWORD)
    assert owner.path == "/"
    review = owner.post(here, "/batches", "/users?invite=bulk", pasted=PEOPLE)
    batch = owner.path
    assert review.h1 == "Review Pasted table"
    version = owner.get(there, batch).values("version")[0]
    owner.post(there, f"{batch}/confirmation", batch, version=version)
    wait_until(lambda: sorted(sink.recipients) == [INES, JONAS], "both have their e-mail")
    report = wait_until(lambda: "Download results" in (page := owner.get(here, batch)).text and page, "the report is there")
    assert "2 invited" in report.text

    mail = next(message.text for message in sink.messages if INES in message.recipients)
    link = urllib.parse.urlsplit(re.search(r"http://\S+/invitations/\S+", mail)[0]).path  # type: ignore[index]
    ines.post(there, link, link, name="Inês Carvalho", password="a long walk by the river")
    assert "Inês" in ines.get(here, "/").text
    with pytest.raises(urllib.error.HTTPError, match="410"):
        Person().get(here, link)
    assert sorted(sink.recipients) == [INES, JONAS]
    assert {machine.health()["status"] for machine in machines} == {"ok"}
