"""The pages of webhooks: added, changed, tested, skipped, turned on again, deleted, and what the log says of it."""

from __future__ import annotations

import re

import pytest
from standardwebhooks import Webhook
from webapp.db import db
from webapp.jobs import webhooks as jobs
from webapp.models import AuditEvent, Endpoint, UserState
from webapp.services.audit import chain, events
from webapp.services.webhooks import endpoints

from tests.client import Answer, Client
from tests.factories import PASSWORD, make_invitation, make_user
from tests.webhook_receiver import Receiver

TYPES = ["invitation.created", "invitation.revoked"]
PAGE = "/settings/webhooks"


@pytest.fixture
def receiver(app):
    with Receiver() as server:
        yield server


def add(owner: Client, url: str, types=TYPES, status: int = 200) -> Answer:
    return owner.post(f"{PAGE}/new", {"url": url, "types": types}, status)


def only() -> Endpoint:
    db.session.rollback()
    return db.session.scalars(db.select(Endpoint)).one()


def revoke(owner: Client, *names: str) -> None:
    """An event about each; sealed."""
    for name in names:
        events.record(owner.user, "invitation.revoked", make_invitation(f"{name}@northfield.example"))
    db.session.commit()
    chain.seal()


def logged() -> list[str]:
    """What the log says of webhooks, in its sentences."""
    found = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action.startswith("webhook.")).order_by(AuditEvent.id))
    return [event.action for event in found]


def test_the_settings_lead_to_webhooks_and_an_empty_page_says_what_they_are(owner: Client) -> None:
    assert owner.get("/settings").page.all("a", href=PAGE)
    page = owner.get(PAGE).page
    assert "No webhooks yet" in page.text
    assert page.all("a", href=f"{PAGE}/new")


def test_the_secret_is_shown_once_and_signs(owner: Client, receiver: Receiver) -> None:
    secret = re.search(r"whsec_[\w+/=]+", add(owner, receiver.url).page.text)
    assert secret
    page = owner.get(f"{PAGE}/{only().id}").page
    assert "whsec_" not in page.text
    assert page.values("url") == [receiver.url]
    assert [each["value"] for each in page.all("input", name="types") if "checked" in each] == TYPES
    revoke(owner, "ines")
    jobs.deliver(only().id)
    Webhook(secret[0]).verify(receiver.got[0].body, receiver.got[0].headers)
    assert "200" in owner.get(PAGE).page.text


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "Type an address"),
        ("mdm.example.org/muster", "Type a whole address"),
        ("ftp://mdm.example.org", "Type a whole address"),
        ("https://", "Type a whole address"),
        ("https://mdm.example.org:port/", "Type a whole address"),
        ("https://[::1/", "Type a whole address"),
        ("https://münchen.example/", "Type a whole address"),
        ("https://mdm.example.org/a b", "Type a whole address"),
        ("https://ann:secret@mdm.example.org/", "Leave out name"),
        ("https://mdm.example.org/#there", "Leave out name"),
        ("http://169.254.169.254/latest", "link-local"),
        ("http://[fe80::1]/", "link-local"),
        ("https://mdm.example.org/" + "a" * 500, "at most 500"),
    ],
)
def test_an_address_that_muster_does_not_call_is_explained_and_nothing_is_lost(owner: Client, url: str, sentence: str) -> None:
    page = add(owner, url, status=422).page
    assert sentence in page.text
    assert page.values("url") == [url]
    assert [each["value"] for each in page.all("input", name="types") if "checked" in each] == TYPES
    assert db.session.scalars(db.select(Endpoint)).all() == []


def test_without_a_type_nothing_is_added_and_an_unknown_one_is_refused(owner: Client) -> None:
    assert "Choose at least one." in add(owner, "https://mdm.example.org/", [], status=422).page.text
    add(owner, "https://mdm.example.org/", ["session.refused"], status=422)


def test_there_is_an_end_to_how_many(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MOST", 1)
    add(owner, "https://mdm.example.org/")
    assert "There are 1 webhooks already." in add(owner, "https://chat.example.org/", status=422).page.text


def test_a_test_is_answered_on_the_page_also_while_it_is_off(owner: Client, receiver: Receiver) -> None:
    add(owner, receiver.url)
    receiver.answers.append(410)
    revoke(owner, "ines")
    jobs.deliver(only().id)
    receiver.answers.append(404)
    receiver.words = "No such hook"
    owner.post(f"{PAGE}/{only().id}/tests")
    page = owner.get(f"{PAGE}/{only().id}").page
    assert "A test is on its way." in page.text
    assert page.all("div", hx_get=f"{PAGE}/{only().id}/answers")
    jobs.deliver(only().id)
    fragment = owner.get(f"{PAGE}/{only().id}/answers", htmx=True).page
    assert "webhook.test" in fragment.text
    assert "404: No such hook" in fragment.text
    assert not fragment.all("div", hx_get=f"{PAGE}/{only().id}/answers")
    assert (receiver.got[-1].event["type"], only().disabled_why) == ("webhook.test", "gone")


def test_a_failing_event_is_tried_again_or_skipped_as_it_was_seen(owner: Client, receiver: Receiver) -> None:
    add(owner, receiver.url)
    receiver.answers.extend([500, 500])
    revoke(owner, "ines", "jonas", "lena")
    jobs.deliver(only().id)
    address = f"{PAGE}/{only().id}"
    page = owner.get(address).page
    assert "An invitation is revoked" in page.text
    assert "2 events behind it wait" in page.text
    question = owner.get(f"{address}/skip").page
    seen = question.values("seq")
    owner.post(f"{address}/resumption")
    jobs.deliver(only().id)
    assert receiver.about == ["ines@northfield.example"] * 2
    owner.post(f"{address}/skip", {"seq": seen})
    assert "does not wait any more" in owner.post(f"{address}/skip", {"seq": seen}, 409).page.text
    owner.post(f"{address}/skip", {}, 409)
    jobs.deliver(only().id)
    owner.get(f"{address}/skip", 409)
    jobs.deliver(only().id)
    assert receiver.about[2:] == ["jonas@northfield.example", "lena@northfield.example"]
    assert "Failing" not in owner.get(address).page.text


def test_it_is_turned_on_again_changed_and_deleted_and_all_of_it_is_logged(
    owner: Client, receiver: Receiver, admin: Client
) -> None:
    add(owner, "https://old.example.org/a-secret-path")
    address = f"{PAGE}/{only().id}"
    receiver.answers.append(410)
    owner.post(address, {"url": receiver.url, "types": ["user.erased", "invitation.revoked"]})
    assert only().types == ["invitation.revoked", "user.erased"]
    revoke(owner, "ines")
    jobs.deliver(only().id)
    assert "Off since" in owner.get(address).page.text
    assert "Off" in owner.get(PAGE).page.text
    owner.post(f"{address}/resumption")
    jobs.deliver(only().id)
    assert receiver.about == ["ines@northfield.example"] * 2
    assert "24 hours" in owner.get(f"{address}/secret").page.text
    assert "The former one signs, too" in owner.post(f"{address}/secret", {}, 200).page.text
    owner.post(f"{address}/tests")
    assert "waits now" in owner.get(f"{address}/deletion").page.text
    owner.post(f"{address}/deletion")
    owner.get(address, 404)
    assert logged() == [
        "webhook.added",
        "webhook.changed",
        "webhook.turned_off",
        "webhook.turned_on",
        "webhook.secret_made",
        "webhook.tested",
        "webhook.deleted",
    ]
    log = admin.get("/audit?action=settings").page.text
    assert "Added the webhook old.example.org" in log
    assert "a-secret-path" not in log
    assert "key=north" not in log


def test_saving_without_a_change_is_no_event(owner: Client) -> None:
    add(owner, "https://mdm.example.org/")
    owner.post(f"{PAGE}/{only().id}", {"url": "https://mdm.example.org/", "types": TYPES})
    owner.post(f"{PAGE}/{only().id}", {"url": "nothing", "types": TYPES}, 422)
    assert logged() == ["webhook.added"]


def test_what_a_receiver_said_of_a_person_goes_when_they_are_erased(owner: Client, receiver: Receiver) -> None:
    hannah = make_user("Hannah Whitcombe", state=UserState.DEACTIVATED)
    email = hannah.email
    add(owner, receiver.url)
    receiver.words = f"thanks for {email}"
    revoke(owner, "ines")
    jobs.deliver(only().id)
    assert email in str(only().answers)
    owner.post(f"/users/{hannah.id}/erasure", {"current": PASSWORD})
    assert email not in str(only().answers)


def test_the_lists_cost_as_many_queries_however_many_there_are(owner: Client, queries) -> None:
    add(owner, "https://mdm.example.org/")
    owner.get(PAGE)
    queries.clear()
    owner.get(PAGE)
    few = len(queries)
    for n in range(5):
        add(owner, f"https://mdm{n}.example.org/")
    queries.clear()
    owner.get(PAGE)
    assert len(queries) == few, queries


def test_home_says_that_one_is_off_also_where_nobody_has_joined_and_there_is_no_email(owner: Client, receiver: Receiver) -> None:
    owner.post("/first-steps/email")
    add(owner, receiver.url)
    receiver.answers.append(410)
    revoke(owner, "ines")
    assert "was turned off" not in owner.get("/").page.text
    jobs.deliver(only().id)
    page = owner.get("/").page
    assert "was turned off" in page.text
    assert page.all("a", href=f"{PAGE}/{only().id}")
