"""E-mails are values: what they say, and that nothing typed by people breaks out of its place."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from email.utils import getaddresses, parseaddr, quote
from typing import Any, cast

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from webapp.mail import messages, mime
from webapp.mail.errors import PermanentDeliveryError
from webapp.mail.messages import Email
from webapp.mail.mime import MimeMessage
from webapp.settings import parsers

LINK = "https://muster.northfield.example/invitations/" + "k" * 43
NOON = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)


def invitation(**changes: Any) -> Email:
    usual: dict[str, Any] = {
        "to": "ines.carvalho@northfield.example",
        "organisation": "Northfield Academy",
        "inviter": "Maren Okafor",
        "role": "Analyst",
        "groups": ["Student Devices", "Exam Laptops"],
        "link": LINK,
        "expires_days": 7,
    }
    return messages.invitation(**{**usual, **changes})


def test_says_who_invites_where_as_what_and_until_when() -> None:
    email = invitation()
    assert email.to == "ines.carvalho@northfield.example"
    assert email.subject == "Maren Okafor invited you to Northfield Academy"
    assert email.text == (
        "Hello,\n\n"
        "Maren Okafor invited you to Northfield Academy.\n\n"
        "Role: Analyst\n"
        "Device groups: Student Devices, Exam Laptops\n\n"
        "Choose a name and a password, and you are in:\n\n"
        f"{LINK}\n\n"
        "This link works once, within 7 days. It is yours alone: do not pass it on.\n"
        "If you did not expect this, ignore this email, and nothing happens.\n\n"
        "This email was sent to ines.carvalho@northfield.example.\n"
    )
    for said in (
        "Maren Okafor invited you to Northfield Academy.",
        "Student Devices, Exam Laptops",
        f'href="{LINK}"',
        "within 7 days",
    ):
        assert said in email.html


def test_is_the_same_value_each_time() -> None:
    assert invitation() == invitation()


def test_one_day_is_one_day_and_no_groups_are_not_mentioned() -> None:
    email = invitation(expires_days=1, groups=[])
    assert "within 1 day." in email.text
    assert "Device groups" not in email.text + email.html


def test_all_groups_are_said_as_such() -> None:
    assert "Device groups: All groups\n" in invitation(groups=["All groups"]).text


def test_an_organisation_and_an_inviter_without_a_name() -> None:
    assert invitation(organisation="", inviter="").subject == "You are invited to Muster"


def test_a_message_keeps_its_lines_in_both_forms() -> None:
    email = invitation(message="Welcome.\n\nSee you on Monday.")
    assert "\n\n> Welcome.\n>\n> See you on Monday.\n\n" in email.text
    assert "Welcome.<br>" in email.html


def test_what_people_typed_is_text_in_the_html() -> None:
    email = invitation(organisation="<img src=x>", inviter='"><script>', groups=["A & B"], message="<b>bold</b>")
    assert "<script" not in email.html
    assert "<img" not in email.html
    assert "<b>" not in email.html
    assert "A &amp; B" in email.html
    assert "A & B" in email.text


def test_nothing_is_loaded_from_anywhere() -> None:
    html = invitation().html
    assert not [word for word in ("src=", "url(", "@import", "<link", "<script") if word in html]


@pytest.mark.parametrize(
    "name", ["Maren\r\nBcc: all@northfield.example", "Maren\nX: y", "Maren\u2028Bcc: z", "Ma\x00ren", "\u202eneraM"]
)
def test_a_name_cannot_add_a_header_or_a_line(name: str) -> None:
    email = invitation(name=name, inviter=name, organisation=name, role=name, groups=[name])
    assert email.subject.isprintable()
    assert not [line for line in email.text.splitlines() if line.startswith(("Bcc", "X:"))]
    read = read_back(mime.build(email, "Muster <muster@northfield.example>", "<1@northfield.example>", NOON))
    assert read.keys() == ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def read_back(parcel: MimeMessage) -> EmailMessage:
    """As a mail program reads it."""
    return cast(EmailMessage, message_from_bytes(parcel.data, policy=default))


def test_mime_has_both_forms_and_its_own_headers() -> None:
    parcel = mime.build(invitation(), "Müster <muster@northfield.example>", "<1@northfield.example>", NOON)
    read = read_back(parcel)
    assert read["From"].addresses[0].display_name == "Müster"
    assert read["To"] == "ines.carvalho@northfield.example"
    assert read["Date"].datetime == NOON
    assert read["Message-ID"] == "<1@northfield.example>"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert LINK.encode() in parcel.data, "the link stands whole in the file"


def test_letters_outside_ascii_arrive_and_travel_as_ascii() -> None:
    email = invitation(organisation="Gymnasium Köln")
    parcel = mime.build(email, "muster@northfield.example", "<1@northfield.example>", NOON)
    assert parcel.data.isascii()
    read = read_back(parcel)
    body = read.get_body(("plain",))
    assert body
    assert "Gymnasium Köln" in body.get_content()
    assert read["Subject"] == "Maren Okafor invited you to Gymnasium Köln"


def test_a_person_with_a_name_is_greeted_and_addressed_by_it() -> None:
    email = invitation(name="Inês <b>Carvalho</b>, Dr.")
    assert email.text.startswith("Hello Inês <b>Carvalho</b>, Dr.,\n\n")
    assert '<p style="margin: 0 0 16px;">Hello Inês &lt;b&gt;Carvalho&lt;/b&gt;, Dr.,</p>' in email.html
    parcel = mime.build(email, "muster@northfield.example", "<1@northfield.example>", NOON)
    assert parcel.recipient == "ines.carvalho@northfield.example"
    assert parcel.data.isascii()
    [to] = read_back(parcel)["To"].addresses
    assert (to.display_name, to.addr_spec) == ("Inês <b>Carvalho</b>, Dr.", email.to)


def test_a_test_goes_to_somebody_else_than_it_greets() -> None:
    email = invitation(name="Ines Carvalho", link=None)
    assert email.text.startswith("Hello Ines Carvalho,")
    assert read_back(mime.build(email, "muster@northfield.example", "<1@northfield.example>", NOON))["To"] == email.to


@pytest.mark.parametrize("to", ["o'neil@northfield.example", "a=b/c!@northfield.example", "x" * 64 + "@northfield.example"])
def test_an_odd_local_part_arrives_as_it_is(to: str) -> None:
    read = read_back(mime.build(invitation(to=to), "muster@northfield.example", "<1@northfield.example>", NOON))
    assert [address.addr_spec for address in read["To"].addresses] == [to]


def test_a_local_part_outside_ascii_travels_as_it_is() -> None:
    parcel = mime.build(invitation(to="zoë@schüle.example"), "muster@northfield.example", "<1@northfield.example>", NOON)
    assert parcel.recipient == "zoë@xn--schle-mva.example"
    assert "To: zoë@xn--schle-mva.example\r\n".encode() in parcel.data


# What people type reaches a header as those very letters

BREAKING = (
    "=?utf-8?q?A=0D=0AReply-To=3A_x=40evil.test=0D=0AX=3A?= b",
    "=?utf-8?q?A=0D=0AContent-Type=3Atext/html=0D=0A=0D=0A=3Cb=3EPay=20now?=",
    "=?utf-8?b?QQ0KQmNjOiB4QGV2aWwudGVzdA==?=",
    "=?iso-8859-1?q?A=0ABcc:x@evil.test?=",
    "=?utf-8?q?a=2Cb=40evil.test?=",
    "=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?_M=C3=BCller?=",
    "=?utf-8*en?q?a?=",
    "=?",
    "?=",
    'IT "desk" <x@evil.test>, other',
    "back\\slash (comment)",
    "Zażółć gęślą jaźń, 学校の情報システム部からのお知らせ" * 4,
    "A" * 150,
    "word " * 60,
)
PIECES = st.sampled_from(
    ["=?", "?=", "?q?", "?b?", "utf-8", "=0D=0A", "Bcc: x@evil.test", ",", '"', "<", ">", "\\", "ü", " ", "a"]
)
TYPED = st.sampled_from(BREAKING) | st.text(max_size=60) | st.lists(PIECES, max_size=12).map("".join)
USUAL = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


@given(name=TYPED, inviter=TYPED, organisation=TYPED, own_subject=TYPED, role=TYPED, group=TYPED, is_reminder=st.booleans())
def test_names_arrive_as_they_were_typed_and_as_nothing_else(
    name: str, inviter: str, organisation: str, own_subject: str, role: str, group: str, is_reminder: bool
) -> None:
    assume(not any("\ud800" <= letter <= "\udfff" for letter in name + inviter + organisation + own_subject + role + group))
    written = (
        invitation(
            name=name,
            inviter=inviter,
            organisation=organisation,
            own_subject=own_subject,
            role=role,
            groups=[group],
            message=inviter,
            words=organisation,
            is_reminder=is_reminder,
        ),
        messages.account("reset", to="ines@northfield.example", organisation=organisation, link=LINK, validity="60 minutes"),
        messages.account("password_changed", to="ines@northfield.example", organisation=organisation, at="noon"),
    )
    for email in written:
        parcel = mime.build(email, "Muster <muster@northfield.example>", "<1@northfield.example>", NOON)
        read = read_back(parcel)
        assert read.keys() == USUAL
        # a word that is longer than a line begins on the next one, after the space that folding needs (RFC 5322, 2.2.3)
        assert read["Subject"].lstrip(" ") == email.subject.lstrip(" ")
        [to] = getaddresses([message_from_bytes(parcel.data, policy=compat32)["To"]])
        assert to[1] == email.to
        assert str(make_header(decode_header(to[0]))).split() == messages.on_one_line(email.name).split()
        assert [address.addr_spec for address in read["From"].addresses] == ["muster@northfield.example"]
        assert read.get_content_type() == "multipart/alternative"
        bodies = [part.get_payload(decode=True).decode().replace("\r\n", "\n") for part in read.iter_parts()]
        assert bodies == [email.text, email.html]


@given(name=TYPED)
def test_the_senders_name_arrives_as_it_was_typed(name: str) -> None:
    typed = f'"{quote(name)}" <muster@northfield.example>'
    try:
        sender = parsers.sender(typed)
    except ValueError:
        return  # no setting, then
    said = parseaddr(sender)[0]
    try:
        parcel = mime.build(invitation(), sender, "<1@northfield.example>", NOON)
    except PermanentDeliveryError:
        return
    read = read_back(parcel)
    assert read.keys() == USUAL
    assert [address.addr_spec for address in read["From"].addresses] == ["muster@northfield.example"]
    raw = parseaddr(message_from_bytes(parcel.data, policy=compat32)["From"])[0]
    assert str(make_header(decode_header(raw))).split() == said.split()


LOCAL_PARTS = st.text(st.sampled_from("abc.XYZ019!#$%&'*+/=?^_`{|}~-äß学\"(),:;<>@[]\\ \r\n\t"), min_size=1, max_size=40)


@given(local=LOCAL_PARTS | st.sampled_from(BREAKING))
def test_an_address_is_one_recipient_and_the_same_in_envelope_and_header(local: str) -> None:
    typed = f"{local}@northfield.example"
    try:
        parcel = mime.build(invitation(to=typed), "muster@northfield.example", "<1@northfield.example>", NOON)
    except PermanentDeliveryError:
        return
    to = parcel.data.split(b"\r\nTo: ")[1].split(b"\r\n")[0].decode()
    assert to == parcel.recipient
    assert smtplib.quoteaddr(parcel.recipient) == f"<{parcel.recipient}>"
    assert [address for _, address in getaddresses([to])] == [parcel.recipient]
    if parcel.recipient.isascii():
        assert [address.addr_spec for address in read_back(parcel)["To"].addresses] == [parcel.recipient]


@pytest.mark.parametrize("broken", ["A\r\nBcc: x@evil.test", "A\nX: y", "A\rB", "A\x00B", "A\x85B", "A\u2028B"])
def test_a_header_with_a_line_break_is_never_sent(broken: str) -> None:
    with pytest.raises(PermanentDeliveryError, match="cannot be written"):
        mime.build(replace(invitation(), subject=broken), "muster@northfield.example", "<1@northfield.example>", NOON)
    with pytest.raises(PermanentDeliveryError, match="cannot be written"):
        mime.build(invitation(), "muster@northfield.example", f"<{broken}@northfield.example>", NOON)


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=90), min_size=1)


@given(LINES)
@example(["."])
@example(["From here", ".hidden", " blank at the end ", "=3D", "--=_1", ""])
@example(["x" * 2000])
@example(["ü" * 2000])
def test_what_was_written_is_what_is_read(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    email = Email("ines@northfield.example", "Any", text, f"<p>{text}</p>\n")
    parcel = mime.build(email, "muster@northfield.example", "<1a@northfield.example>", NOON)
    assert max(map(len, parcel.data.split(b"\r\n"))) <= 998
    assert b"\n" not in parcel.data.replace(b"\r\n", b"")
    parts = [part.get_payload(decode=True).decode() for part in read_back(parcel).iter_parts()]
    assert [part.replace("\r\n", "\n") for part in parts] == [text, f"<p>{text}</p>\n"]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("ines@northfield.example", "ines@northfield.example"),
        ("Ines@NorthField.example", "Ines@northfield.example"),
        ("ines@intranet.local", "ines@intranet.local"),
        ("ines@schüle.example", "ines@xn--schle-mva.example"),
        ("ines@straße.de", "ines@xn--strae-oqa.de"),
        ("zoë@northfield.example", "zoë@northfield.example"),
    ],
)
def test_the_domain_goes_to_the_server_in_ascii(typed: str, sent: str) -> None:
    assert mime.envelope_address(typed) == sent


@pytest.mark.parametrize(
    "typed", ["", "ines", "ines@", "@northfield.example", "a b@northfield.example", "a\r\nb@northfield.example"]
)
def test_what_is_no_address_cannot_be_delivered(typed: str) -> None:
    with pytest.raises(PermanentDeliveryError, match="not an address"):
        mime.envelope_address(typed)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "Choose a name and a password, and you are in"),
        ({"elsewhere": "School account"}, "Continue with School account, or choose a name and a password, and you are in"),
        ({"elsewhere": "School account", "is_only_elsewhere": True}, "Continue with School account, and you are in"),
    ],
)
def test_an_invitation_offers_the_account_that_people_have(more: dict[str, Any], says: str) -> None:
    email = invitation(**more)
    assert f"{says}:" in email.text
    assert f"{says}." in email.html
