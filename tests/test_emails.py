"""E-mails are values: what they say, and that nothing typed by people breaks out of its place."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webapp import emails, mime
from webapp.core.errors import Undeliverable
from webapp.emails import Email
from webapp.mime import Parcel

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
    return emails.invitation(**{**usual, **changes})


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
    assert "Device groups: All groups\n" in invitation(groups=emails.ALL_GROUPS).text


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
    email = invitation(inviter=name, organisation=name, role=name, groups=[name])
    assert email.subject.isprintable()
    assert not [line for line in email.text.splitlines() if line.startswith(("Bcc", "X:"))]
    read = read_back(mime.packed(email, "Muster <muster@northfield.example>", "<1@northfield.example>", NOON))
    assert read.keys() == ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]


def read_back(parcel: Parcel) -> EmailMessage:
    """As a mail program reads it."""
    return cast(EmailMessage, message_from_bytes(parcel.data, policy=default))


def test_mime_has_both_forms_and_its_own_headers() -> None:
    parcel = mime.packed(invitation(), "Müster <muster@northfield.example>", "<1@northfield.example>", NOON)
    read = read_back(parcel)
    assert read["From"].addresses[0].display_name == "Müster"
    assert read["To"] == "ines.carvalho@northfield.example"
    assert read["Date"].datetime == NOON
    assert read["Message-ID"] == "<1@northfield.example>"
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert LINK.encode() in parcel.data, "the link stands whole in the file"


def test_it_is_the_same_bytes_at_every_try() -> None:
    first, second = (mime.packed(invitation(), "muster@northfield.example", "<1@northfield.example>", NOON) for _ in range(2))
    assert first == second


def test_letters_outside_ascii_arrive_and_travel_as_ascii() -> None:
    email = invitation(organisation="Gymnasium Köln")
    parcel = mime.packed(email, "muster@northfield.example", "<1@northfield.example>", NOON)
    assert parcel.data.isascii()
    read = read_back(parcel)
    body = read.get_body(("plain",))
    assert body
    assert "Gymnasium Köln" in body.get_content()
    assert read["Subject"] == "Maren Okafor invited you to Gymnasium Köln"


@pytest.mark.parametrize("to", ["o'neil@northfield.example", "a=b/c!@northfield.example", "x" * 64 + "@northfield.example"])
def test_an_odd_local_part_arrives_as_it_is(to: str) -> None:
    read = read_back(mime.packed(invitation(to=to), "muster@northfield.example", "<1@northfield.example>", NOON))
    assert [address.addr_spec for address in read["To"].addresses] == [to]


def test_a_local_part_outside_ascii_travels_as_it_is() -> None:
    parcel = mime.packed(invitation(to="zoë@schüle.example"), "muster@northfield.example", "<1@northfield.example>", NOON)
    assert parcel.recipient == "zoë@xn--schle-mva.example"
    assert "To: zoë@xn--schle-mva.example\r\n".encode() in parcel.data


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=90), min_size=1)


@given(LINES)
@example(["."])
@example(["From here", ".hidden", " blank at the end ", "=3D", "--=_1", ""])
@example(["x" * 2000])
@example(["ü" * 2000])
def test_what_was_written_is_what_is_read(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    email = Email("ines@northfield.example", "Any", text, f"<p>{text}</p>\n")
    parcel = mime.packed(email, "muster@northfield.example", "<1a@northfield.example>", NOON)
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
    assert mime.deliverable(typed) == sent


@pytest.mark.parametrize(
    "typed", ["", "ines", "ines@", "@northfield.example", "a b@northfield.example", "a\r\nb@northfield.example"]
)
def test_what_is_no_address_cannot_be_delivered(typed: str) -> None:
    with pytest.raises(Undeliverable, match="not an address"):
        mime.deliverable(typed)
