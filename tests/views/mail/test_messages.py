"""Outgoing mail: who sees what, and how it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from webapp.db import db
from webapp.jobs import outbox as jobs
from webapp.models import MessageKind
from webapp.services.mail import claim, outbox, throttle

from tests.client import Client
from tests.factories import token_of
from tests.mail_fixtures import hold_up, invitation_of, make_message, message_to

INES, JONAS, LENA = (f"{name}@northfield.example" for name in ("ines", "jonas", "lena"))


def test_an_empty_list_says_what_will_be_here(admin: Client) -> None:
    page = admin.get("/messages").page
    assert page.h1 == "Outgoing mail"
    assert "No messages yet" in page.text


def test_the_list_tells_state_recipient_subject_and_the_servers_words(admin: Client) -> None:
    make_message(INES)
    jobs.send()
    make_message(JONAS)
    text = admin.get("/messages").page.text
    assert text.index(JONAS) < text.index(INES), "newest first"
    assert "Devika Raman invited you to Muster" in text
    assert "1 written as a file, 1 waiting, 0 failed." in text
    assert "Written as a file" in text
    assert "Sent" not in text


def test_it_is_found_by_address_and_by_state(admin: Client) -> None:
    make_message(INES)
    jobs.send()
    make_message(JONAS)
    page = admin.get("/messages").page
    assert "All 2 Waiting 1 Files 1" in page.text
    assert page.all("a", aria_label=f"Read the email to {INES}")
    assert ".eml" not in page.text.replace("become .eml files", ""), "names of files say nothing"
    files = admin.get("/messages?state=files").page
    assert INES in files.text
    assert JONAS not in files.text
    assert JONAS in admin.get("/messages?q=JONAS").page.text
    assert INES not in admin.get("/messages?q=JONAS").page.text
    assert "No message to “nobody” is here." in admin.get("/messages?q=nobody").page.text
    assert "None is in this state." in admin.get("/messages?state=failed").page.text
    assert INES in admin.get("/messages?state=unheard-of").page.text


def test_older_ones_of_what_was_searched_for(admin: Client) -> None:
    for n in range(52):
        make_message(f"user{n}@northfield.example")
    page = admin.get("/messages?q=user&state=waiting").page
    (older,) = [link["href"] for link in page.all("a", class_="link") if "before=" in link["href"]]
    assert "q=user" in older
    assert "state=waiting" in older
    assert "user1@" in admin.get(older).page.text


def test_without_a_mail_server_it_says_so(
    admin: Client, change_settings: Callable[..., Any], sign_in: Callable[..., Client]
) -> None:
    assert "No mail server is set" in admin.get("/messages").page.text
    assert not admin.get("/messages").page.all("a", href="/settings/email")
    assert sign_in("Owner").get("/messages").page.all("a", href="/settings/email")
    change_settings(mail_url="smtp://mail.northfield.example")
    assert "No mail server is set" not in admin.get("/messages").page.text


def test_it_says_that_sending_is_held_up_and_why(admin: Client) -> None:
    make_message(INES)
    claim.claim("w1")
    hold_up(
        "w1",
        {
            "code": "unreachable",
            "server": "The mail server mail.northfield.example:587",
            "cause": "connection refused",
        },
    )
    alarm = throttle.alarm()
    assert alarm
    for path in ("/messages", f"/messages/{message_to(INES).id}"):
        text = admin.get(path).page.text
        assert f"Email is held up since {alarm.paused_at:%H:%M}" in text
        assert "(connection refused). It is tried again every 30 seconds." in text


def test_50_a_page_then_older_ones(admin: Client) -> None:
    for n in range(53):
        make_message(f"user{n}@northfield.example")
    first = admin.get("/messages").page
    assert "user52@" in first.text
    assert "user2@" not in first.text
    (older,) = [link["href"] for link in first.all("a", class_="link") if "before=" in link["href"]]
    rest = admin.get(older).page
    assert "user2@" in rest.text
    assert "user3@" not in rest.text
    assert not [link for link in rest.all("a") if "before=" in link["href"]]


def test_the_list_costs_the_same_however_long_it_is(admin: Client, queries: list[str]) -> None:
    def cost() -> int:
        queries.clear()
        admin.get("/messages")
        return len(queries)

    make_message(INES)
    few = cost()
    for n in range(20):
        make_message(f"user{n}@northfield.example")
    assert cost() == few, queries


def test_one_message_can_be_read_as_text_and_as_it_looks(admin: Client) -> None:
    queued = make_message(INES)
    answer = admin.get(f"/messages/{queued.id}")
    assert answer.page.h1 == "Devika Raman invited you to Muster"
    assert queued.message_id in answer.page.text
    assert token_of(invitation_of(INES)) in answer.page.text
    (frame,) = answer.page.all("iframe")
    assert frame["sandbox"] == ""
    html = admin.get(frame["src"])
    assert html.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
    )
    assert "Accept invitation" in html.text
    assert answer.page.all("a", href=f"/invitations/{invitation_of(INES).id}/details")


def test_an_e_mail_to_a_role_above_ones_own_is_not_there(sign_in: Callable[..., Client]) -> None:
    make_message(INES, role_name="Admin")
    make_message(JONAS, role_name="Remote")
    owner, admin = sign_in("Owner"), sign_in("Admin")
    role = admin.user.role
    role.rank = 20
    db.session.commit()
    hidden = message_to(INES).id
    page = admin.get("/messages").page
    assert JONAS in page.text
    assert INES in owner.get("/messages").page.text
    invitation_of(INES).role_id = 3  # the Investigator's, which now ranks above
    db.session.commit()
    assert INES not in admin.get("/messages").page.text
    admin.get(f"/messages/{hidden}", 404)
    admin.get(f"/messages/{hidden}/html", 404)


def test_a_link_to_reset_a_password_is_never_shown(owner: Client) -> None:
    message = outbox.add_message(MessageKind.RESET, LENA, priority=0)
    db.session.commit()
    assert LENA not in owner.get("/messages").page.text
    owner.get(f"/messages/{message.id}", 404)
    owner.get(f"/messages/{message.id}/html", 404)


@pytest.mark.parametrize("role", ["Investigator", "Analyst", "Broadcaster", "Remote"])
def test_who_may_not_send_sees_none_of_it(sign_in: Callable[..., Client], role: str) -> None:
    message = make_message(INES)
    browser = sign_in(role)
    for path in ("/messages", f"/messages/{message.id}", f"/messages/{message.id}/html"):
        browser.get(path, 403)


def test_who_is_signed_out_is_asked_to_sign_in(client: Client) -> None:
    message = make_message(INES)
    assert "/sign-in" in client.get(f"/messages/{message.id}", 303).location
