"""Whatever a mail server does wrong, at whichever command: nothing is lost, nothing is doubled unmarked, no try is wasted."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import pytest
from rq.timeouts import JobTimeoutException
from webapp.db import db, utcnow
from webapp.jobs import maintenance
from webapp.jobs import outbox as jobs
from webapp.mail import smtp
from webapp.models import Message, MessageState, Outcome
from webapp.services.mail import outbox, throttle
from webapp.services.operations import status

from tests.mail_fixtures import make_message, make_sending_batch, message_to, pass_time, row_of
from tests.scripted_smtp import CUT, DRIP, HANG, Scripted
from tests.smtp_sink import Sink

INES, JONAS, LENA = (f"{name}@northfield.example" for name in ("ines", "jonas", "lena"))
AWAY = b"421 4.3.2 Not now\r\n"
BEFORE_A_MESSAGE = ("GREETING", "EHLO", "STARTTLS", "AUTH")
IN_ITS_MIDST = ("MAIL", "RCPT", "DATA")
SPOILT = (HANG, CUT)

pytestmark = [pytest.mark.usefixtures("app"), pytest.mark.slow]


@pytest.fixture
def sent_by(change_settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`sent_by(server)` sends what is due. Only the time-out that the server's fault needs is short: the rest may be slow."""

    def send(server: Scripted, scheme: str = "smtp", who: str = "") -> None:
        for name in ("COMMAND_SECONDS", "ANSWER_SECONDS"):
            monkeypatch.setattr(smtp, name, 0.2 if server.silent_at else 10.0)
        change_settings(mail_url=f"{scheme}://{who}{server.address}", mail_from="Muster <muster@northfield.example>")
        jobs.send()

    return send


def way_of(command: str) -> dict[str, str]:
    """How a connection gets to that command."""
    return {"scheme": "smtp+starttls"} if command == "STARTTLS" else {"who": "muster:secret@"} if command == "AUTH" else {}


@pytest.mark.any_database
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
    alarm = throttle.alarm()
    assert alarm
    assert alarm.cause_text.startswith(f"The mail server {server.address} ")
    for email in (INES, JONAS):
        message = message_to(email)
        assert (message.state, message.attempts, message.maybe_sent) == (MessageState.QUEUED, 0, False)
        assert row_of(email).outcome is Outcome.WAITING


# In the midst of a message


@pytest.mark.any_database
@pytest.mark.parametrize(("at", "does"), [*itertools.product(("RCPT", "DATA"), (*SPOILT, AWAY)), ("DOT", AWAY)])
def test_one_message_that_breaks_each_connection_lets_others_go_first(sent_by: Callable[..., None], at: str, does: bytes) -> None:
    """At the dot only a clear no: what may have been taken is another matter, below."""
    make_sending_batch(INES, JONAS, LENA)
    with Scripted(to=INES, **{at: does}) as server:
        sent_by(server)
        assert throttle.alarm()
        message = message_to(INES)
        assert (message.state, message.attempts, message.maybe_sent) == (MessageState.QUEUED, 1, False)
        assert row_of(INES).why.startswith(f"Due again at {message.due_at:%H:%M}: The mail server {server.address} ")
        pass_time(seconds=31)
        sent_by(server)
        assert throttle.alarm() is None
        assert {message_to(email).state for email in (JONAS, LENA)} == {MessageState.SENT}
        assert message_to(JONAS).attempts == message_to(LENA).attempts == 1
        for tries, minutes in enumerate((1, 5, 15, 60), start=1):
            assert message_to(INES).attempts == tries
            pass_time(minutes=minutes)
            sent_by(server)


def test_the_words_of_the_server_are_told_when_it_breaks_off(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES)
    with Scripted(RCPT=AWAY) as server:
        sent_by(server)
    assert "does not go on (421 4.3.2 Not now)" in message_to(INES).result_text
    assert message_to(INES).result_text.rstrip(".") in row_of(INES).why


@pytest.mark.any_database
@pytest.mark.parametrize(("at", "does"), itertools.product(IN_ITS_MIDST, (*SPOILT, AWAY)))
def test_a_server_that_breaks_off_each_time_is_tried_with_another_message(
    sent_by: Callable[..., None], at: str, does: bytes
) -> None:
    make_sending_batch(INES, JONAS, LENA)
    with Scripted(**{at: does}) as server:
        for attempts in ([1, 0, 0], [1, 1, 0], [1, 1, 1]):
            sent_by(server)
            sent_by(server)
            alarm = throttle.alarm()
            assert alarm
            assert alarm.cause_text.startswith(f"The mail server {server.address} ")
            assert [message_to(email).attempts for email in (INES, JONAS, LENA)] == attempts
            pass_time(seconds=31)
        assert server.taken == []
    with Scripted() as server:
        pass_time(minutes=1)
        sent_by(server)
        assert throttle.alarm() is None
        assert len(server.taken) == 3
        assert not any(message_to(email).maybe_sent for email in (INES, JONAS, LENA))


def test_a_used_connection_that_ends_is_opened_again_and_costs_no_try(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, to=JONAS, RCPT=CUT) as server:
        sent_by(server)
    assert [message_to(email).attempts for email in (INES, JONAS)] == [1, 1]
    assert {message_to(email).state for email in (INES, JONAS)} == {MessageState.SENT}


def test_while_messages_break_off_it_is_one_alarm(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=2, RCPT=CUT) as server:
        sent_by(server)
        first = throttle.alarm()
        assert first
        assert first.paused_at
        began = first.paused_at
        pass_time(seconds=31)
        sent_by(server)
    second = throttle.alarm()
    assert second
    assert second.paused_at == began - timedelta(seconds=31), "since the beginning"


def test_a_message_that_breaks_off_for_a_day_fails(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES)
    pass_time(hours=24)
    with Scripted(RCPT=CUT) as server:
        sent_by(server)
    assert row_of(INES).outcome is Outcome.FAILED
    assert row_of(INES).why.startswith("Put off by the mail server for a day (The mail server ")
    assert "broke off (Connection unexpectedly closed))" in row_of(INES).why


@pytest.mark.parametrize(
    ("at", "states"),
    [
        ("GREETING", [(MessageState.QUEUED, 0), (MessageState.QUEUED, 0)]),
        ("RCPT", [(MessageState.QUEUED, 1), (MessageState.QUEUED, 0)]),
        ("DOT", [(MessageState.UNCERTAIN, 2), (MessageState.SENT, 1)]),
    ],
)
def test_an_answer_that_never_ends_is_cut_by_the_time_out_of_the_job(
    sent_by: Callable[..., None], time_out: Callable[[], None], at: str, states: list[tuple[MessageState, int]]
) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, **{at: DRIP}) as server:
        server.on_drip = time_out
        sent_by(server)
    assert states_of(INES, JONAS) == states
    assert (throttle.alarm() is not None) == (at != "DOT")


@pytest.fixture
def time_out() -> Iterator[Callable[[], None]]:
    """`time_out()`, from any thread: the time-out of the job, as RQ makes it known."""

    def raise_timeout(*_: object) -> None:
        raise JobTimeoutException

    before = signal.signal(signal.SIGALRM, raise_timeout)
    yield lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
    signal.signal(signal.SIGALRM, before)


# After it


@pytest.mark.parametrize("does", SPOILT)
def test_trouble_after_the_final_dot_repeats_that_message_alone_and_marks_it(sent_by: Callable[..., None], does: bytes) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, DOT=does) as server:
        sent_by(server)
    assert (message_to(INES).state, message_to(JONAS).state) == (MessageState.UNCERTAIN, MessageState.SENT)
    assert row_of(INES).why == "Delivery uncertain: sent again after an interruption"
    first, other, again = (message_from_bytes(taken) for taken in server.taken)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    texts = [each.get_payload(0).get_payload(decode=True) for each in (first, again)]
    assert texts[0] == texts[1], "the same link"
    assert throttle.alarm() is None


def test_421_after_the_final_dot_is_no_yes(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES)
    with Scripted(times=1, DOT=b"421 4.3.2 Shutting down\r\n") as server:
        sent_by(server)
    message = message_to(INES)
    assert (message.state, message.attempts, message.maybe_sent) == (MessageState.QUEUED, 1, False)
    assert "421 4.3.2 Shutting down" in message.result_text


@pytest.mark.parametrize("at", ["DATA", "DOT"])
def test_421_over_a_used_connection_leaves_nothing_uncertain(sent_by: Callable[..., None], at: str) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, to=JONAS, **{at: b"421 4.3.2 Shutting down\r\n"}) as server:
        sent_by(server)
    message = message_to(JONAS)
    assert (message.state, message.attempts, message.maybe_sent) == (MessageState.SENT, 1, False)


# The sign-in, and what else a server says


def test_a_refused_sign_in_is_told_once_and_tried_every_30_seconds(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=2, AUTH=b"535 5.7.8 Wrong password\r\n") as server:
        sent_by(server, who="muster:secret@")
        since = throttle.alarm()
        assert since
        assert "cannot be used (535 5.7.8 Wrong password)" in since.cause_text
        assert "secret" not in since.cause_text
        began = since.paused_at
        sent_by(server, who="muster:secret@")
        assert server.taken == []
        pass_time(seconds=31)
        sent_by(server, who="muster:secret@")
        pass_time(seconds=31)
        sent_by(server, who="muster:secret@")
    assert began
    assert len(server.taken) == 2, "the third time it let us in"
    assert throttle.alarm() is None
    assert {message_to(email).attempts for email in (INES, JONAS)} == {1}


@pytest.mark.parametrize("answer", [b"454 4.7.0 TLS not available\r\n", b"220 Go ahead\r\nand this is no TLS"])
def test_a_failing_starttls_never_falls_back(sent_by: Callable[..., None], answer: bytes) -> None:
    make_message(INES)
    with Scripted(STARTTLS=answer) as server:
        sent_by(server, scheme="smtp+starttls")
        assert server.taken == []
    assert throttle.alarm()
    assert message_to(INES).attempts == 0


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"550 5.1.1 Empf\xe4nger unbekannt\r\n", "Refused by the mail server (550 5.1.1 Empf\ufffdnger unbekannt)"),
        ("550 5.1.1 Empfänger unbekannt\r\n".encode(), "Refused by the mail server (550 5.1.1 Empfänger unbekannt)"),
        (
            b"550-5.1.1 No\x07 such\x1b[31m\r\n550 5.1.1 user \x00here\r\n",
            "Refused by the mail server (550 5.1.1 No such [31m 5.1.1 user here)",
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
    assert row.why == told or (told is None and len(row.why) < 400)
    assert row.why.isprintable()
    assert message_to(JONAS).state is MessageState.SENT, "a refusal of one stops no other"


@pytest.mark.parametrize("at", IN_ITS_MIDST)
def test_an_answer_that_is_none_ends_the_connection(sent_by: Callable[..., None], at: str) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(**{at: b"\xff\xfe nothing that can be read\r\n"}) as server:
        sent_by(server)
        assert server.taken == []
    assert throttle.alarm()
    assert (message_to(INES).state, message_to(INES).attempts) == (MessageState.QUEUED, 1)


def test_a_sign_in_that_is_wanted_holds_everything_up_at_once(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(MAIL=b"530 5.7.0 Authentication required\r\n") as server:
        sent_by(server)
    alarm = throttle.alarm()
    assert alarm
    assert "530 5.7.0 Authentication required" in alarm.cause_text
    assert message_to(INES).attempts == message_to(JONAS).attempts == 0


# A sender that is refused, and a server that gets too much

NOT_THIS_SENDER = (
    b"550 5.7.60 SMTP; Client does not have permissions to send as this sender\r\n",
    b"553 5.7.1 <muster@northfield.example>: Sender address rejected: not owned by user it\r\n",
    b"554 5.2.252 SendAsDenied; it@northfield.example not allowed to send as muster\r\n",
    b"501 5.1.8 Domain of muster@northfield.example does not exist\r\n",
)
TOO_MANY = (
    b"450 Too many messages, slow down\r\n",
    b"451 4.7.1 Try again later\r\n",
    b"452 4.5.3 Rate limit exceeded for 192.0.2.1\r\n",
)
PEOPLE = [f"user{n}@northfield.example" for n in range(30)]


def states_of(*emails: str) -> list[tuple[MessageState, int]]:
    return [(message.state, message.attempts) for message in map(message_to, emails)]


@pytest.mark.any_database
@pytest.mark.parametrize(("at", "says"), itertools.product(("MAIL", "RCPT", "DATA", "DOT"), NOT_THIS_SENDER))
def test_a_refused_sender_holds_the_batch_and_costs_no_try(sent_by: Callable[..., None], at: str, says: bytes) -> None:
    make_sending_batch(*PEOPLE[:5])
    with Scripted(**{at: says}) as server:
        sent_by(server)
        alarm = throttle.alarm()
        assert alarm
        assert "refuses the sender muster@northfield.example (5" in alarm.cause_text
        assert "MUSTER_MAIL_FROM" in alarm.cause_text
        assert status.monitor_status()["mail"] == "held up"
        assert states_of(*PEOPLE[:5]) == [(MessageState.QUEUED, 0)] * 5
        assert {row_of(email).outcome for email in PEOPLE[:5]} == {Outcome.WAITING}
        pass_time(seconds=31)
        sent_by(server)
        assert throttle.alarm()
        assert states_of(*PEOPLE[:5]) == [(MessageState.QUEUED, 0)] * 5
    pass_time(seconds=61)
    with Scripted() as server:
        sent_by(server)
        assert len(server.taken) == 5
    assert throttle.alarm() is None
    assert states_of(*PEOPLE[:5]) == [(MessageState.SENT, 1)] * 5


@pytest.mark.parametrize("says", [b"550 5.1.1 No such user\r\n", b"550 5.7.1 Relay access denied\r\n", b"552 Too large\r\n"])
def test_recipients_that_are_refused_one_after_the_other_fail(sent_by: Callable[..., None], says: bytes) -> None:
    make_sending_batch(*PEOPLE[:5])
    with Scripted(RCPT=says) as server:
        sent_by(server)
    assert throttle.alarm() is None
    assert states_of(*PEOPLE[:5]) == [(MessageState.FAILED, 1)] * 5


def test_a_recipient_who_does_not_want_this_sender_fails_where_others_take_it(sent_by: Callable[..., None]) -> None:
    make_sending_batch(*PEOPLE[:6])
    with Scripted(times=4, after=1, RCPT=NOT_THIS_SENDER[0]) as server:
        sent_by(server)
    assert throttle.alarm() is None
    assert [state for state, _ in states_of(*PEOPLE[:6])] == [MessageState.SENT, *[MessageState.FAILED] * 4, MessageState.SENT]
    assert row_of(PEOPLE[1]).why.startswith("Refused by the mail server (")


def test_one_or_two_recipients_that_refuse_the_sender_fail(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(RCPT=NOT_THIS_SENDER[0]) as server:
        sent_by(server)
    assert throttle.alarm() is None
    assert states_of(INES, JONAS) == [(MessageState.FAILED, 1)] * 2


def test_a_first_recipient_that_refuses_the_sender_fails_where_the_next_takes_it(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS, LENA)
    with Scripted(times=1, RCPT=NOT_THIS_SENDER[0]) as server:
        sent_by(server)
    assert throttle.alarm() is None
    assert [state for state, _ in states_of(INES, JONAS, LENA)] == [MessageState.FAILED, *[MessageState.SENT] * 2]


def test_messages_that_show_a_refused_sender_let_others_go_first(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS, LENA, *PEOPLE[:2])
    with Scripted(times=4, RCPT=NOT_THIS_SENDER[0]) as server:
        for _ in range(2):  # at the second time one message is enough
            sent_by(server)
            assert throttle.alarm()
            pass_time(seconds=31)
        sent_by(server)
        assert len(server.taken) == 5
    assert throttle.alarm() is None


def test_a_message_that_is_too_large_at_mail_fails_alone(sent_by: Callable[..., None]) -> None:
    make_sending_batch(INES, JONAS)
    with Scripted(times=1, MAIL=b"552 5.3.4 Message size exceeds fixed limit\r\n") as server:
        sent_by(server)
    assert throttle.alarm() is None
    assert [state for state, _ in states_of(INES, JONAS)] == [MessageState.FAILED, MessageState.SENT]


@pytest.mark.any_database
@pytest.mark.parametrize(("at", "says"), itertools.product(("MAIL", "RCPT", "DATA", "DOT"), TOO_MANY))
def test_a_rate_limit_stops_the_run_and_goes_on_at_the_pace_that_was_accepted(
    sent_by: Callable[..., None], at: str, says: bytes
) -> None:
    make_sending_batch(*PEOPLE[:12])
    for minute in (1, 2, 3):
        with Scripted(after=4, **{at: says}) as server:
            sent_by(server)
            sent_by(server)
            assert len(server.taken) - (3 if at == "DOT" and minute == 1 else 0) == 4, "and no more in this minute"
            slow = throttle.notices()["slow"]
            assert slow
            assert (slow.pace, slow.pace_words) == (4, says.decode().strip())
            assert set(states_of(*PEOPLE[:12])) <= {(MessageState.SENT, 1), (MessageState.QUEUED, 0)}
            pass_time(seconds=61)
    assert set(states_of(*PEOPLE[:12])) == {(MessageState.SENT, 1)}
    assert throttle.alarm() is None


def test_a_rate_limit_is_told_on_the_pages(sent_by: Callable[..., None], sign_in: Callable[..., Any]) -> None:
    batch = make_sending_batch(*PEOPLE)
    with Scripted(after=10, RCPT=TOO_MANY[0]) as server:
        sent_by(server)
    admin = sign_in("Admin")
    for page in (f"/batches/{batch.id}", "/messages", "/"):
        text = admin.get(page).page.text
        assert "The mail server takes about 10 messages a minute" in text
        assert "450 Too many messages, slow down" in text
        assert "MUSTER_MAIL_RATE=10" in text
    pass_time(minutes=70)
    assert "The mail server takes about" not in admin.get("/messages").page.text


def test_a_server_that_was_away_and_says_too_many_is_back(sent_by: Callable[..., None]) -> None:
    make_sending_batch(*PEOPLE)
    with Scripted(after=5, RCPT=TOO_MANY[0]) as server:
        sent_by(server)
    pass_time(seconds=61)
    with Scripted(GREETING=AWAY) as server:
        sent_by(server)
    assert throttle.alarm()
    pass_time(seconds=31)
    with Scripted(RCPT=TOO_MANY[0]) as server:
        sent_by(server)
        assert server.taken == []
    assert [state is None for state in throttle.notices().values()] == [True, False]


def test_a_pace_holds_for_ten_minutes(sent_by: Callable[..., None]) -> None:
    make_sending_batch(*PEOPLE)
    with Scripted(after=5, RCPT=TOO_MANY[0]) as server:
        sent_by(server)
    pass_time(minutes=9)
    with Scripted() as server:
        sent_by(server)
        assert len(server.taken) == 5
        pass_time(minutes=2)
        sent_by(server)
        assert len(server.taken) == 25


def test_a_server_that_speaks_of_its_limit_at_once_is_left_alone_for_a_minute(sent_by: Callable[..., None]) -> None:
    make_sending_batch(*PEOPLE[:5])
    with Scripted(times=3, RCPT=TOO_MANY[0]) as server:
        sent_by(server)
        sent_by(server)
        assert server.taken == []
        pass_time(seconds=61)
        sent_by(server)
        assert len(server.taken) == 5
    assert set(states_of(*PEOPLE[:5])) == {(MessageState.SENT, 1)}


@pytest.mark.parametrize(
    "says",
    [
        b"450 4.7.1 Greylisted, try again in 300 seconds\r\n",
        b"452 4.2.2 Over quota\r\n",
        b"451 4.4.3 Domain not found\r\n",
        b"451 Temporary failure, try again later\r\n",
    ],
)
def test_a_not_now_for_each_recipient_alone_puts_each_off(sent_by: Callable[..., None], says: bytes) -> None:
    make_sending_batch(*PEOPLE[:6])
    with Scripted(times=6, RCPT=says) as server:
        sent_by(server)
        assert throttle.notices()["slow"] is None
        assert states_of(*PEOPLE[:6]) == [(MessageState.QUEUED, 1)] * 6
        pass_time(seconds=61)
        sent_by(server)
        assert len(server.taken) == 6


# A server that is away while nothing is due


@pytest.mark.parametrize("what", ["is due later", "is cancelled"])
def test_the_alarm_ends_where_nothing_is_held_up(sink: Sink, what: str) -> None:
    make_message(INES)
    sink.stop()
    jobs.send()
    assert throttle.alarm()
    if what == "is cancelled":
        outbox.cancel_for_invitations([message_to(INES).invitation_id])
    else:
        message_to(INES).due_at = utcnow() + timedelta(hours=1)
    db.session.commit()
    maintenance.tick("one")
    assert throttle.alarm(), "every 30 seconds"
    pass_time(seconds=31)
    maintenance.tick("one")
    assert throttle.alarm() is None


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
