"""Whatever a mail server does wrong, at whichever command: nothing is lost, nothing is doubled unmarked, no try is wasted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.mail_fixtures import make_message, make_sending_batch, message_to, pass_time, row_of
from tests.scripted_smtp import CUT, DRIP, FLOOD, HANG, Scripted
from tests.smtp_sink import Sink
from webapp import mail, queue
from webapp.db import db
from webapp.jobs import outbox as jobs
from webapp.models import Message, MessageState, Outcome
from webapp.services import gate

INES, JONAS, LENA = (f"{name}@northfield.example" for name in ("ines", "jonas", "lena"))
AWAY = b"421 4.3.2 Not now\r\n"
BEFORE_A_MESSAGE = ("GREETING", "EHLO", "STARTTLS", "AUTH")
IN_ITS_MIDST = ("MAIL", "RCPT", "DATA")
SPOILT = (HANG, CUT, DRIP, FLOOD)

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def sent_by(change_settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`sent_by(server)`: what is due is sent by this server, with little patience: enough for a machine that is busy."""
    for name in ("OPENING_SECONDS", "COMMAND_SECONDS", "ANSWER_SECONDS"):
        monkeypatch.setattr(mail, name, 1.0)

    def send(server: Scripted, scheme: str = "smtp", who: str = "") -> None:
        change_settings(mail_url=f"{scheme}://{who}{server.address}", mail_from="Muster <muster@northfield.example>")
        jobs.send()

    return send


def way_of(command: str) -> dict[str, str]:
    """How a connection gets to that command."""
    return {"scheme": "smtp+starttls"} if command == "STARTTLS" else {"who": "muster:secret@"} if command == "AUTH" else {}


@pytest.mark.parametrize(
    ("at", "does"), [*itertools.product(BEFORE_A_MESSAGE, SPOILT), *((at, AWAY) for at in BEFORE_A_MESSAGE if at != "EHLO")]
)
def test_a_connection_that_fails_before_a_message_costs_no_try_and_raises_one_alarm(
    sent_by: Callable[..., None], at: str, does: bytes
) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(**{at: does}) as server:
        sent_by(server, **way_of(at))
        assert server.taken == []
    alarm = gate.alarm()
    assert alarm
    assert alarm.reason.startswith(f"The mail server {server.address} ")
    for email in (INES, JONAS):
        message = message_to(email)
        assert (message.state, message.attempts, message.maybe_sent) == (MessageState.QUEUED, 0, False)
        assert row_of(email).outcome is Outcome.WAITING


# In the midst of a message


@pytest.mark.parametrize(("at", "does"), [*itertools.product(("RCPT", "DATA"), (*SPOILT, AWAY)), ("DOT", AWAY)])
def test_one_message_that_breaks_each_connection_holds_up_no_other(sent_by: Callable[..., None], at: str, does: bytes) -> None:
    """At the dot only a clear no: what may have been taken is another matter, below."""
    make_sending_batch(INES, JONAS, LENA)
    with Scripted(to=INES, **{at: does}) as server:
        for tries, minutes in enumerate((1, 5, 15, 60), start=1):
            sent_by(server)
            assert gate.alarm() is None
            message = message_to(INES)
            assert (message.state, message.attempts, message.maybe_sent) == (MessageState.QUEUED, tries, False)
            assert row_of(INES).reason.startswith(f"Due again at {message.due_at:%H:%M}: The mail server {server.address} ")
            assert {message_to(email).state for email in (JONAS, LENA)} == {MessageState.SENT}
            assert message_to(JONAS).attempts == message_to(LENA).attempts == 1
            pass_time(seconds=minutes * 60 - 5)
            sent_by(server)
            assert message_to(INES).attempts == tries
            pass_time(seconds=5)


def test_the_words_of_the_server_are_told_when_it_breaks_off(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES)
    with Scripted(RCPT=AWAY) as server:
        sent_by(server)
    assert "does not go on (421 4.3.2 Not now)" in message_to(INES).answer
    assert message_to(INES).answer in row_of(INES).reason


@pytest.mark.parametrize(("at", "does"), itertools.product(IN_ITS_MIDST, (*SPOILT, AWAY)))
def test_a_second_message_in_a_row_is_the_servers_fault(sent_by: Callable[..., None], at: str, does: bytes) -> None:
    make_sending_batch(INES, JONAS, LENA)
    with Scripted(**{at: does}) as server:
        sent_by(server)
        alarm = gate.alarm()
        assert alarm
        assert alarm.reason.startswith(f"The mail server {server.address} ")
        assert [message_to(email).attempts for email in (INES, JONAS, LENA)] == [1, 1, 0]
        sent_by(server)
        assert message_to(LENA).attempts == 0
        pass_time(seconds=31)
        sent_by(server)
        assert gate.alarm()
        assert [message_to(email).attempts for email in (INES, JONAS, LENA)] == [1, 1, 1], "the probe is another one each time"
        assert server.taken == []
    with Scripted() as server:
        pass_time(minutes=1)
        sent_by(server)
        assert gate.alarm() is None
        assert len(server.taken) == 3
        assert not any(message_to(email).maybe_sent for email in (INES, JONAS, LENA))


def test_a_used_connection_that_ends_is_opened_again_and_costs_no_try(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, to=JONAS, RCPT=CUT) as server:
        sent_by(server)
    assert [message_to(email).attempts for email in (INES, JONAS)] == [1, 1]
    assert {message_to(email).state for email in (INES, JONAS)} == {MessageState.SENT}


def test_a_message_that_breaks_off_for_a_day_fails(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES)
    pass_time(hours=24)
    with Scripted(RCPT=CUT) as server:
        sent_by(server)
    assert row_of(INES).outcome is Outcome.FAILED
    assert row_of(INES).reason.startswith("Put off by the mail server for a day (The mail server ")
    assert "broke off (it closed the connection))" in row_of(INES).reason


def test_a_job_lasts_longer_than_any_server_may_take() -> None:
    """Of a message that begins at the end of a turn: a used connection, another one, and the answer."""
    commands = 3 * mail.COMMAND_SECONDS
    assert jobs.TURN + commands + mail.OPENING_SECONDS + commands + mail.ANSWER_SECONDS < queue.JOB_TIMEOUT


# After it


@pytest.mark.parametrize("does", SPOILT)
def test_trouble_after_the_final_dot_repeats_that_message_alone_and_marks_it(sent_by: Callable[..., None], does: bytes) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, DOT=does) as server:
        sent_by(server)
    assert (message_to(INES).state, message_to(JONAS).state) == (MessageState.UNCERTAIN, MessageState.SENT)
    assert row_of(INES).reason == "Delivery uncertain: sent again after an interruption"
    first, other, again = server.taken
    assert first == again, "the same Message-ID and link, byte for byte"
    assert first != other
    assert gate.alarm() is None


def test_421_after_the_final_dot_is_no_yes(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES)
    with Scripted(times=1, DOT=b"421 4.3.2 Shutting down\r\n") as server:
        sent_by(server)
    message = message_to(INES)
    assert (message.state, message.attempts, message.maybe_sent) == (MessageState.QUEUED, 1, False)
    assert "421 4.3.2 Shutting down" in message.answer


# The sign-in, and what else a server says


def test_a_refused_sign_in_is_told_once_and_tried_every_30_seconds(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=2, AUTH=b"535 5.7.8 Wrong password\r\n") as server:
        sent_by(server, who="muster:secret@")
        since = gate.alarm()
        assert since
        assert "refused the sign-in (535 5.7.8 Wrong password)" in since.reason
        assert "secret" not in since.reason
        began = since.paused_at
        sent_by(server, who="muster:secret@")
        assert server.taken == []
        pass_time(seconds=31)
        sent_by(server, who="muster:secret@")
        pass_time(seconds=31)
        sent_by(server, who="muster:secret@")
    assert began
    assert len(server.taken) == 2, "the third time it let us in"
    assert gate.alarm() is None
    assert {message_to(email).attempts for email in (INES, JONAS)} == {1}


@pytest.mark.parametrize("answer", [b"454 4.7.0 TLS not available\r\n", b"220 Go ahead\r\nand this is no TLS"])
def test_a_failing_starttls_never_falls_back(sent_by: Callable[..., None], answer: bytes) -> None:
    make_message(INES)
    with Scripted(STARTTLS=answer) as server:
        sent_by(server, scheme="smtp+starttls")
        assert server.taken == []
    assert gate.alarm()
    assert message_to(INES).attempts == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"550 5.1.1 Empf\xe4nger unbekannt\r\n", "Refused by the mail server (550 5.1.1 Empf\ufffdnger unbekannt)"),
        ("550 5.1.1 Empfänger unbekannt\r\n".encode(), "Refused by the mail server (550 5.1.1 Empfänger unbekannt)"),
        (
            b"550-5.1.1 No\x07 such\x1b[31m\r\n550 5.1.1 user \x00here\r\n",
            "Refused by the mail server (550 5.1.1 No such [31m user here)",
        ),
        (b"550 " + b"x" * 2000 + b"\r\n", None),
        (b"550\r\n", "Refused by the mail server (550)"),
    ],
)
def test_the_servers_words_are_told_whatever_bytes_they_are(sent_by: Callable[..., None], said: bytes, told: str | None) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, RCPT=said) as server:
        sent_by(server)
    row = row_of(INES)
    assert row.outcome is Outcome.FAILED
    assert row.reason == told or (told is None and len(row.reason) < 400)
    assert row.reason.isprintable()
    assert message_to(JONAS).state is MessageState.SENT, "a refusal of one stops no other"


@pytest.mark.parametrize("at", IN_ITS_MIDST)
def test_an_answer_that_is_none_ends_the_connection(sent_by: Callable[..., None], at: str) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(**{at: b"\xff\xfe nothing that can be read\r\n"}) as server:
        sent_by(server)
        assert server.taken == []
    assert gate.alarm()
    assert (message_to(INES).state, message_to(INES).attempts) == (MessageState.QUEUED, 1)


def test_a_sign_in_that_is_wanted_holds_everything_up_at_once(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(MAIL=b"530 5.7.0 Authentication required\r\n") as server:
        sent_by(server)
    alarm = gate.alarm()
    assert alarm
    assert "530 5.7.0 Authentication required" in alarm.reason
    assert message_to(INES).attempts == message_to(JONAS).attempts == 0


def test_an_answer_to_the_message_that_cannot_be_read_leaves_it_uncertain(sent_by: Callable[..., None]) -> None:
    make_message(INES)
    with Scripted(times=1, DOT=b"\xff\xfe\r\n") as server:
        sent_by(server)
        assert len(server.taken) == 2
    assert message_to(INES).state is MessageState.UNCERTAIN


def test_the_throttle_is_never_exceeded(sink: Sink, change_settings: Callable[..., Any]) -> None:
    change_settings(mail_rate=7)
    make_sending_batch(*(f"user{n}@northfield.example" for n in range(20)))
    for _ in range(3):
        jobs.send()
    assert len(sink.messages) == 7
    pass_time(seconds=61)
    jobs.send()
    assert len(sink.messages) == 14
    assert db.session.scalar(db.select(db.func.count(Message.id)).where(Message.attempts > 1)) == 0
