"""The judge itself: forged logs with each kind of finding, and with none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.checker import Findings, HandOver, Interruption, Mail, Promise, handed_over, judge, refusals
from tests.faults.seed import counted, line

ANA = "ana@northfield.example"
SENT = Mail("<1@x>", ANA, "sent", token_hash="ab")
CAME = HandOver(ANA, began=100.0, message_id="<1@x>", token="ab", whole=100.1, taken=True, answered=100.2, read=100.3)
INVITED = Promise(ANA, "invited")
AGAIN = replace(CAME, began=300.0, whole=300.1, answered=300.2, read=300.3)
UNCERTAIN = replace(SENT, state="uncertain", marked=True)


def judged(
    mail: Mail | None = SENT,
    *came: HandOver,
    promise: Promise = INVITED,
    interruptions: tuple[Interruption, ...] = (),
    refused: bool = False,
) -> Findings:
    return judge([promise], [mail] if mail else [], came, interruptions, [ANA] if refused else [])


def test_all_is_well() -> None:
    found = judged(SENT, CAME)
    assert found.are_none, found
    assert found.counts() == {"invitations": 1, "uncertain": 0, "lost": 0, "stuck": 0, "phantom": 0, "doubled": 0, "inside": 0}


@pytest.mark.parametrize(
    ("mail", "came", "why"),
    [
        (SENT, [], "never took it"),
        (UNCERTAIN, [], "never took it"),
        (SENT, [replace(CAME, taken=False)], "never took it"),
        (SENT, [replace(CAME, taken=False, whole=None)], "never took it"),
        (None, [], "no message"),
        (replace(SENT, state="failed"), [], "refused nothing"),
        (replace(SENT, state="failed", marked=True), [replace(CAME, read=None)], "refused nothing"),
        (replace(SENT, state="cancelled"), [], "nobody asked"),
    ],
)
def test_lost(mail: Mail | None, came: list[HandOver], why: str) -> None:
    found = judged(mail, *came)
    assert len(found.lost) == 1, found
    assert why in found.lost[0]


@pytest.mark.parametrize(
    ("mail", "promise", "why"),
    [
        (replace(SENT, state="queued"), replace(INVITED, outcome="waiting"), "“queued”"),
        (replace(SENT, state="sending"), replace(INVITED, outcome="waiting"), "“sending”"),
        (None, replace(INVITED, outcome=None), "nobody has worked on the row"),
        (SENT, replace(INVITED, outcome="waiting"), "the row still waits"),
        (SENT, replace(INVITED, batch_is_open=True), "the batch is not finished"),
    ],
)
def test_stuck(mail: Mail | None, promise: Promise, why: str) -> None:
    found = judged(mail, CAME, promise=promise)
    assert len(found.stuck) == 1, found
    assert why in found.stuck[0]


def test_a_back_off_that_the_page_names_is_not_stuck() -> None:
    waits = replace(SENT, state="queued", may_go_on=True)
    assert judged(waits, promise=replace(INVITED, outcome="waiting", batch_is_open=True)).are_none


@pytest.mark.parametrize(
    ("mail", "came", "why"),
    [
        (SENT, replace(CAME, message_id="<2@x>"), "of which the database knows nothing"),
        (replace(SENT, recipient="bo@northfield.example"), CAME, "of which the database knows nothing"),
        (SENT, replace(CAME, token="cd"), "a link that opens nothing"),
        (replace(SENT, state="cancelled"), CAME, "which is “cancelled”"),
        (replace(SENT, state="failed"), CAME, "which is “failed”"),
    ],
)
def test_phantom(mail: Mail, came: HandOver, why: str) -> None:
    found = judged(mail, came, refused=True)
    assert any(why in each for each in found.phantom), found


def test_doubled_inside_the_gap_is_counted_and_is_no_finding() -> None:
    unheard = replace(CAME, answered=None, read=None)
    found = judged(UNCERTAIN, unheard, AGAIN)
    assert found.are_none, found
    assert len(found.inside) == found.uncertain == 1


def test_heard_and_killed_before_it_was_written_down_is_inside_the_gap() -> None:
    killed = Interruption(began=100.25, ended=100.4)
    assert judged(UNCERTAIN, replace(CAME, read=None), AGAIN, interruptions=(killed,)).are_none


@pytest.mark.parametrize(
    ("mail", "came", "interruptions", "why"),
    [
        (SENT, [replace(CAME, answered=None, read=None), AGAIN], [], "the page says nothing"),
        (UNCERTAIN, [CAME, AGAIN], [], "nobody was interrupted"),
        (UNCERTAIN, [CAME, AGAIN], [Interruption(80, 90)], "nobody was interrupted"),
        (UNCERTAIN, [CAME, AGAIN], [Interruption(110, 120)], "nobody was interrupted"),
        (UNCERTAIN, [CAME, replace(AGAIN, message_id="<2@x>")], [Interruption(100, 101)], "different Message-IDs or links"),
        (UNCERTAIN, [CAME, replace(AGAIN, token="cd")], [Interruption(100, 101)], "different Message-IDs or links"),
    ],
)
def test_doubled(mail: Mail, came: list[HandOver], interruptions: list[Interruption], why: str) -> None:
    found = judged(mail, *came, interruptions=tuple(interruptions))
    assert len(found.doubled) == 1, found
    assert why in found.doubled[0]


def test_frozen_between_the_lease_check_and_data_is_inside_the_gap() -> None:
    """Others have sent it meanwhile; the one that was frozen sends it as soon as it goes on."""
    thawed = Interruption(began=299.9, ended=300.9)
    assert judged(UNCERTAIN, CAME, AGAIN, interruptions=(thawed,)).are_none


def test_two_messages_for_one_row_are_doubled() -> None:
    found = judge([INVITED], [SENT, replace(SENT, message_id="<2@x>")], [CAME, replace(AGAIN, message_id="<2@x>")])
    assert any("2 messages for one row" in each for each in found.doubled)


def test_one_killed_sender_excuses_one_message() -> None:
    """Only what is in flight may come twice: never two messages of one worker."""
    bo = "bo@northfield.example"
    other = replace(UNCERTAIN, message_id="<2@x>", recipient=bo)
    mine = [replace(CAME, read=None), AGAIN]
    theirs = [replace(each, recipient=bo, message_id="<2@x>") for each in mine]
    killed = Interruption(began=100.25, ended=100.4)
    promises = [INVITED, Promise(bo, "invited")]
    assert len(judge(promises, [UNCERTAIN, other], mine + theirs, [killed]).doubled) == 1
    assert judge(promises, [UNCERTAIN, other], mine + theirs, [replace(killed, senders=2)]).are_none


def test_a_log_is_read() -> None:
    event = {"number": "7", "recipient": ANA}
    log = [
        {"time": 99.0, "event": "refused", "at": "rcpt", "recipient": "full@northfield.example", "answer": "552 Full"},
        {"time": 99.5, "event": "refused", "at": "rcpt", "recipient": "later@northfield.example", "answer": "451 Later"},
        {"time": 100.0, "event": "begun", **event},
        {"time": 100.1, "event": "whole", "taken": True, "message_id": "<1@x>", "token": "ab", **event},
        {"time": 100.2, "event": "answered", "number": "7", "answer": "250 Taken"},
        {"time": 100.3, "event": "read", "number": "7"},
        {"time": 200.0, "event": "begun", "number": "8", "recipient": "half@northfield.example"},
        {"time": 200.1, "event": "ended", "connection": "1", "number": "8"},
    ]
    whole, half = handed_over(log)
    assert whole == CAME
    assert half == HandOver("half@northfield.example", 200.0)
    assert refusals(log) == {"full@northfield.example"}


def test_a_refused_sender_is_known_by_the_words() -> None:
    """At MAIL FROM the server does not know yet for whom it is."""
    words = "550 5.7.1 Not from you"
    no = refusals([{"time": 1.0, "event": "refused", "at": "mail", "recipient": "", "answer": words}])
    failed = replace(SENT, state="failed", answer=f"Refused by the mail server ({words})")
    assert judge([replace(INVITED, outcome="failed")], [failed], [], [], no).are_none


def test_the_last_line_adds_up() -> None:
    class Report:
        user_properties = (("other", 1), ("faults", {"faults": 1, "invitations": 8, "lost": 0, "inside": 1}))

    assert line(counted([Report(), Report()])).endswith(
        ": 2 faults, 16 invitations: 0 lost, 0 stuck, 0 phantom, 0 doubled outside the gap (2 inside, all marked)"
    )
