"""A mail server that refuses, hangs, puts off and cuts, at each command."""

from __future__ import annotations

import random

import pytest

from tests.faults.conftest import Verdict
from tests.faults.mail_server import CUT, HOLD, POINTS
from tests.faults.portal import Portal
from tests.faults.seed import SEED
from tests.run.conftest import wait_until

pytestmark = pytest.mark.slow

BEFORE_DATA = ["greeting", "ehlo", "mail", "rcpt", "data"]
ANSWERS = {
    "421": [*BEFORE_DATA, "dot"],
    "451": ["mail", "rcpt", "data", "dot"],
    "550": ["mail", "rcpt", "data", "dot"],
    CUT: list(POINTS),
}
WORDS = {"421": "421 4.3.2 Shutting down", "451": "451 4.7.1 Later", "550": "550 5.1.1 Nobody here", CUT: CUT}
EVERY = [(answer, point) for answer, points in ANSWERS.items() for point in points]
QUICK = random.Random(SEED).sample(EVERY, 4)


@pytest.mark.parametrize(
    ("answer", "point"),
    [pytest.param(*one, id="-".join(one), marks=[] if one in QUICK else [pytest.mark.faults]) for one in EVERY],
)
def test_an_answer_at_a_command(portal: Portal, verdict: Verdict, answer: str, point: str) -> None:
    portal.mail.plan(point, WORDS[answer])
    batch_id = portal.invite()
    wait_until(lambda: has_come(portal, point, answer), f"{answer} at {point}")
    is_sender = (answer, point) == ("550", "mail")  # said to everybody: it holds sending up
    if answer in ("421", "451", CUT) or is_sender:
        portal.go_on(batch_id, seconds=2)  # as far as it comes by itself
        portal.pass_time()
    portal.mail.go()
    found = verdict(portal, batch_id)
    refused = sum(mail.state == "failed" for mail in portal.mails(batch_id))
    assert refused == (1 if answer == "550" and not is_sender else 0)
    assert len(found.inside) <= 1


def has_come(portal: Portal, point: str, answer: str) -> bool:
    if point == "dot" and answer != CUT:
        return any(e["event"] == "answered" and e["answer"] == WORDS[answer] for e in portal.mail.events())
    return any(e.get("at") == point and (e.get("answer") or e["event"]) == WORDS[answer] for e in portal.mail.events())


def test_refused_connections_cost_no_message_a_try(portal: Portal, verdict: Verdict) -> None:
    portal.mail.kill()
    batch_id = portal.invite()
    wait_until(portal.alarm, "the alarm is on")
    portal.mail.start()
    portal.pass_time()
    verdict(portal, batch_id)
    assert not portal.alarm()
    assert {mail.attempts for mail in portal.mails(batch_id)} == {1}


def test_killed_in_the_midst_of_it(portal: Portal, verdict: Verdict) -> None:
    """The mail server itself: what it has noted as whole is taken, and its answer was never heard."""
    with portal.mail.expecting("held", at="dot"):
        portal.mail.plan("dot", HOLD)
        batch_id = portal.invite()
    portal.mail.kill()
    portal.mail.start()
    portal.pass_time()
    found = verdict(portal, batch_id)
    assert len(found.inside) == found.uncertain == 1


@pytest.mark.faults
@pytest.mark.parametrize("point", POINTS)
def test_silence_at_a_command(portal: Portal, verdict: Verdict, point: str) -> None:
    """For as long as the portal waits, in real time: nothing else ends it."""
    with portal.mail.expecting("held", at=point):
        portal.mail.plan(point, HOLD)
        batch_id = portal.invite()
    verdict(portal, batch_id)
    portal.mail.go()


@pytest.mark.faults
def test_later_in_real_time(portal: Portal, verdict: Verdict) -> None:
    """The page names the minute at which each is tried again; until then it is not stuck, and 120 s later it is gone."""
    portal.mail.plan("rcpt", WORDS["451"], times=4)
    verdict(portal, portal.invite())
