"""Transports, against a real mail server and a real folder."""

from __future__ import annotations

import email.policy
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from typing import Any

import pytest
from webapp.core.errors import ConflictError
from webapp.mail import messages, mime, smtp, transports
from webapp.mail.errors import (
    ConnectionLostError,
    MailServerUnavailableError,
    PermanentDeliveryError,
    TemporaryDeliveryError,
    UncertainDeliveryError,
)
from webapp.mail.mime import MimeMessage
from webapp.settings.settings import Settings

from tests.scripted_smtp import Scripted
from tests.smtp_sink import CERTIFICATE, CUT, HANG, Sink

pytestmark = pytest.mark.any_database

SENDER = "muster@northfield.example"
INES, JONAS, LENA = (f"{name}@northfield.example" for name in ("ines", "jonas", "lena"))
Way = Callable[..., Settings]


def nothing() -> None:
    """Before DATA there is nothing to note here."""


def written(to: str = INES, text: str = "Hello,\n\nchoose a name.\n") -> MimeMessage:
    value = messages.Email(to, "Maren invited you", text, "<p>Hello</p>")
    return mime.build(value, f"Muster <{SENDER}>", f"<{abs(hash(to))}@northfield.example>", datetime(2026, 9, 1, tzinfo=UTC))


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        yield server


@pytest.fixture
def way(settings: Settings) -> Way:
    """`way(sink)`: settings by which mail goes there."""
    return lambda sink: replace(settings, mail_url=sink.url, mail_from=f"Muster <{SENDER}>")


def send(settings: Settings, to: str = INES, before: Callable[[], None] = nothing, **more: Any) -> dict[str, Any]:
    with transports.connect(settings) as transport:
        return transport.send(written(to, **more), before)


# SMTP


def test_a_message_arrives_as_it_was_written(sink: Sink, way: Way) -> None:
    answer = send(way(sink), text="Hello,\n.\n..two dots\nchoose a name.\n")
    assert answer == {"code": "accepted", "words": "250 2.0.0 OK"}
    (received,) = sink.messages
    assert (received.sender, received.recipients) == (SENDER, [INES])
    assert received.text == "Hello,\n.\n..two dots\nchoose a name.\n"
    assert received.mime["Subject"] == "Maren invited you"


def test_one_connection_carries_many(sink: Sink, way: Way) -> None:
    with transports.connect(way(sink)) as transport:
        for to in (INES, JONAS, LENA):
            transport.send(written(to), nothing)
    assert sink.recipients == [INES, JONAS, LENA]
    assert sink.connections == 1


def test_before_data_is_told_after_the_recipient_was_agreed_to(sink: Sink, way: Way) -> None:
    told: list[int] = []
    send(way(sink), before=lambda: told.append(len(sink.messages)))
    assert told == [0]
    sink.answer(JONAS, "550 5.1.1 No such user")
    with pytest.raises(PermanentDeliveryError):
        send(way(sink), JONAS, before=lambda: told.append(99))
    assert told == [0]


def test_what_before_data_raises_stops_this_message_alone(sink: Sink, way: Way) -> None:
    def revoked() -> None:
        raise ConflictError("revoked")

    with transports.connect(way(sink)) as transport:
        with pytest.raises(ConflictError):
            transport.send(written(INES), revoked)
        transport.send(written(JONAS), nothing)
    assert sink.recipients == [JONAS]
    assert sink.connections == 1


@pytest.mark.parametrize("at", ["mail", "rcpt", "data"])
@pytest.mark.parametrize(
    ("answer", "raised", "words"),
    [
        ("451 4.7.1 Greylisted, try again", TemporaryDeliveryError, "451 4.7.1 Greylisted, try again"),
        ("550 5.1.1 No such user", PermanentDeliveryError, "Refused by the mail server (550 5.1.1 No such user)"),
        ("552 5.2.2 Over quota", PermanentDeliveryError, "Refused by the mail server (552 5.2.2 Over quota)"),
    ],
)
def test_a_refusal_is_told_and_the_connection_goes_on(
    sink: Sink, way: Way, at: str, answer: str, raised: type[Exception], words: str
) -> None:
    if at == "mail" and answer.startswith("550"):
        raised, words = (
            MailServerUnavailableError,
            f"The mail server localhost:{sink.port} refuses the sender {SENDER} ({answer}). "
            + ("Set one that it lets pass: Account Settings, Email, or MUSTER_MAIL_FROM."),
        )
    sink.answer(SENDER if at == "mail" else INES, answer, at=at, times=1)
    with transports.connect(way(sink)) as transport:
        with pytest.raises(raised) as told:
            transport.send(written(INES), nothing)
        assert str(told.value) == words
        transport.send(written(JONAS), nothing)
    assert sink.recipients == [JONAS]
    assert sink.connections == 1


def test_nobody_listens(sink: Sink, way: Way) -> None:
    settings = way(sink)
    sink.stop()
    with pytest.raises(MailServerUnavailableError, match=f"The mail server localhost:{sink.port} cannot be used"):
        send(settings)


def test_an_unknown_host(settings: Settings) -> None:
    with pytest.raises(MailServerUnavailableError, match="cannot be used"):
        send(replace(settings, mail_url="smtp://mail.invalid"))


def test_421_in_the_midst_of_a_message_is_told(sink: Sink, way: Way) -> None:
    sink.answer(INES, "421 4.3.2 Shutting down")
    with pytest.raises(ConnectionLostError, match=r"421 4\.3\.2 Shutting down"):
        send(way(sink))


def test_a_sign_in_that_is_wanted_means_away(sink: Sink, way: Way) -> None:
    sink.answer(SENDER, "530 5.7.0 Authentication required", at="mail")
    with pytest.raises(MailServerUnavailableError, match=r"530 5\.7\.0 Authentication required"):
        send(way(sink))


def test_a_server_that_hangs_up_before_data_has_nothing(sink: Sink, way: Way) -> None:
    sink.answer(INES, CUT)
    with pytest.raises(ConnectionLostError):
        send(way(sink))
    assert sink.messages == []


def test_a_server_that_says_nothing_breaks_off(sink: Sink, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "COMMAND_SECONDS", 0.2)
    sink.answer(INES, HANG)
    with pytest.raises(ConnectionLostError, match="timed out"):
        send(way(sink))


@pytest.mark.parametrize("end", [CUT, HANG])
def test_a_connection_that_ends_after_the_message_leaves_it_uncertain(
    sink: Sink, way: Way, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "ANSWER_SECONDS", 0.2)
    sink.answer(INES, end, at="data")
    with pytest.raises(UncertainDeliveryError, match="broke off while the message was handed over"):
        send(way(sink))
    assert sink.recipients == [INES], "it was taken, this time"


def test_an_international_domain_needs_no_smtputf8(way: Way) -> None:
    with Sink(smtputf8=False) as sink:
        to = mime.envelope_address("ines@schüle.example")
        send(way(sink), to)
        assert sink.recipients == ["ines@xn--schle-mva.example"]


def test_an_international_local_part_is_sent_with_smtputf8(sink: Sink, way: Way) -> None:
    send(way(sink), "zoë@northfield.example")
    (received,) = sink.messages
    assert received.recipients == ["zoë@northfield.example"]
    assert "To: zoë@northfield.example".encode() in received.raw


def test_an_international_local_part_fails_without_it_and_the_next_goes_on(way: Way) -> None:
    with Sink(smtputf8=False) as sink, transports.connect(way(sink)) as transport:
        with pytest.raises(PermanentDeliveryError) as told:
            transport.send(written("zoë@northfield.example"), nothing)
        assert str(told.value) == (
            "The mail server does not take addresses with letters outside ASCII before the @ (it lacks SMTPUTF8)."
        )
        transport.send(written(INES), nothing)
        assert sink.recipients == [INES]


@pytest.mark.parametrize("size", ["SIZE", "SIZE 0", "SIZE much"])
def test_a_server_without_a_limit_of_size_takes_all(way: Way, size: str) -> None:
    with Scripted(EHLO=f"250-scripted\r\n250 {size}\r\n".encode()) as server:
        send(replace(way(Sink()), mail_url=f"smtp://{server.address}"))
        assert len(server.taken) == 1


def test_signing_in_with_a_password_that_needs_escaping(way: Way) -> None:
    with Sink(user="muster@northfield", password="p@ss:w/ord%") as sink:
        send(way(sink))
        assert sink.recipients == [INES]


def test_a_refused_sign_in_is_away(way: Way) -> None:
    with Sink(user="muster", password="right") as sink:
        wrong = replace(way(sink), mail_url=sink.url.replace("right", "wrong"))
        with pytest.raises(MailServerUnavailableError, match=r"cannot be used \(535") as told:
            send(wrong)
        assert "wrong" not in str(told.value)


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_a_certificate_that_passes(way: Way, tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with Sink(tls=tls, user="muster", password="right") as sink:
        send(way(sink))
        assert sink.recipients == [INES]


@pytest.mark.parametrize("tls", ["starttls", "smtps"])
def test_a_certificate_that_nobody_vouches_for(way: Way, tls: str) -> None:
    with Sink(tls=tls, user="muster", password="right") as sink:
        with pytest.raises(MailServerUnavailableError, match="certificate verify failed"):
            send(way(sink))
        assert sink.messages == []


def test_starttls_is_never_left_out(way: Way) -> None:
    with Sink() as sink:
        downgraded = replace(way(sink), mail_url=sink.url.replace("smtp://", "smtp+starttls://"))
        with pytest.raises(MailServerUnavailableError, match="STARTTLS extension not supported"):
            send(downgraded)
        assert sink.messages == []


# Files


def test_a_file_in_the_outbox_is_the_whole_message(settings: Settings, app: Any) -> None:
    parcel = written(INES)
    answer = send(settings)
    (file,) = (settings.data_dir / "outbox").iterdir()
    assert answer == {"code": "file", "name": file.name}
    assert file.name == parcel.message_id.strip("<>").partition("@")[0] + ".eml"
    assert file.parent.stat().st_mode & 0o077 == 0
    read = message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert read["To"] == INES
    assert read["Message-ID"] == parcel.message_id


def test_a_second_try_overwrites_the_file(settings: Settings, app: Any) -> None:
    send(settings)
    send(settings, text="Again.\n")
    (file,) = (settings.data_dir / "outbox").iterdir()
    assert b"Again." in file.read_bytes()


def test_a_file_that_is_not_to_be_sent_is_not_written(settings: Settings, app: Any) -> None:
    def revoked() -> None:
        raise ConflictError("revoked")

    with pytest.raises(ConflictError):
        send(settings, before=revoked)
    assert not list((settings.data_dir / "outbox").glob("*")) if (settings.data_dir / "outbox").exists() else True


def test_a_folder_that_cannot_be_written_is_the_servers_fault_not_the_messages(settings: Settings, app: Any) -> None:
    (settings.data_dir / "outbox").write_text("in the way")
    try:
        with pytest.raises(MailServerUnavailableError, match="cannot be written"):
            send(settings)
    finally:
        (settings.data_dir / "outbox").unlink()
