"""Webhooks against a real receiver: every event arrives, signed and in order, whatever the receiver and the workers do."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from flask import Flask
from standardwebhooks import Webhook, WebhookVerificationError
from webapp import queue as queue_module
from webapp import webhooks
from webapp.core.text.webhook_phrases import TITLES
from webapp.core.webhook_events import TYPES
from webapp.db import db, utcnow
from webapp.jobs import maintenance
from webapp.jobs import webhooks as jobs
from webapp.models import AuditEvent, Endpoint, User
from webapp.services.audit import chain, events
from webapp.services.webhooks import delivery, endpoints
from webapp.settings.settings import Settings

from tests.client import Client
from tests.factories import PASSWORD, make_group, make_invitation, make_persona, make_user, role, token_of
from tests.smtp_sink import CERTIFICATE
from tests.steps import begin_action, carry_out, stage, wait_for
from tests.webhook_receiver import BROKEN_OFF, DRIPPING, SILENT, Receiver

INES, JONAS, LENA = PEOPLE = [f"{name}@northfield.example" for name in ("ines", "jonas", "lena")]
SCHEMA = json.loads(re.findall(r"```json\n(.*?)```", Path("docs/webhooks.md").read_text(encoding="utf-8"), re.DOTALL)[-1])


@pytest.fixture
def receiver(app: Flask):
    with Receiver() as server:
        yield server


def add(receiver: Receiver, *types: str) -> Endpoint:
    return endpoints.add(receiver.url, types or TYPES, make_persona("Owner"))


def invite(*emails: str) -> None:
    """Revoke invitations of these people: an event each; sealed."""
    by = make_persona("Owner")
    for email in emails:
        events.record(by, "invitation.revoked", make_invitation(email))
    db.session.commit()
    chain.seal()


def pass_time(**ago: float) -> None:
    """What is in the endpoints is that much older now."""
    db.session.rollback()
    for endpoint in db.session.scalars(db.select(Endpoint)):
        for name in ("next_at", "lease_until", "failed_since", "former_until"):
            if moment := getattr(endpoint, name):
                setattr(endpoint, name, moment - timedelta(**ago))
    db.session.commit()


def now(endpoint: Endpoint) -> Endpoint:
    db.session.rollback()
    return db.session.get_one(Endpoint, endpoint.id)


def due_in(endpoint: Endpoint) -> int:
    """Seconds until the next try."""
    return round((now(endpoint).next_at - utcnow()).total_seconds())


def statuses(endpoint: Endpoint) -> list[int | str]:
    """The last answers, the newest first."""
    return [answer["status"] or answer["code"] for answer in now(endpoint).answers]


# What is sent


def test_each_event_arrives_in_order_signed_and_with_an_id_of_its_own(receiver: Receiver) -> None:
    endpoint = add(receiver)
    secret = endpoints.derive_secret(endpoint)
    invite(*PEOPLE)
    jobs.deliver(endpoint.id)
    assert receiver.about == PEOPLE
    assert len({each.id for each in receiver.got}) == 3
    for each in receiver.got:
        assert Webhook(secret).verify(each.body, each.headers)["type"] == "invitation.revoked"
        assert each.path == "/muster?key=north"
        assert each.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(receiver.got[0].body.replace(b"ines", b"imes"), receiver.got[0].headers)


def test_only_what_happens_after_it_was_added_and_only_types_that_were_chosen(receiver: Receiver) -> None:
    invite(INES)
    endpoint = add(receiver, "user.erased", "invitation.revoked")
    by = make_persona("Owner")
    events.record(by, "user.deactivated", make_user("Jonas Lind"))
    invite(LENA)
    jobs.deliver(endpoint.id)
    assert receiver.about == [LENA]
    assert delivery.list_due() == []


def test_what_people_do_arrives_as_the_schemas_say_and_no_detail_more(
    receiver: Receiver, owner: Client, client: Client, known_groups: None
) -> None:
    endpoint = add(receiver)
    batch = stage(owner, f"Email,Name,Role,Groups\n{INES},Ines Carvalho,Analyst,Student Devices\n{JONAS},,Analyst,All groups\n")
    carry_out(owner, batch, password=PASSWORD)
    lena = make_user("Lena Marsh", groups=("Student Devices",))
    for do, more in (
        ("set_role", {"role": role("Remote").id}),
        ("add_groups", {"groups": make_group("Teacher Carts").id}),
        ("deactivate", {}),
        ("reactivate", {}),
        ("deactivate", {}),
    ):
        carry_out(owner, begin_action(owner, do, lena, **more))
    owner.post(f"/users/{lena.id}/erasure", {"current": PASSWORD})
    chain.seal()
    jobs.deliver(endpoint.id, turn=60)
    got = [each.event for each in receiver.got]
    for event in got:
        jsonschema.validate(event, SCHEMA)
    kinds = [event["type"] for event in got]
    assert {"invitation.created", "user.changed", "user.deactivated", "user.reactivated", "user.erased", "batch.finished"} <= set(
        kinds
    )
    invited = {event["data"]["email"]: event["data"] for event in got if event["type"] == "invitation.created"}
    assert invited[INES] | {"invitation": 0} == {
        "invitation": 0, "email": INES, "name": "Ines Carvalho", "role": "Analyst", "all_groups": False,
        "groups": ["Student Devices"], "by": {"user": owner.user.id, "email": owner.user.email}, "batch": batch.id,
    }  # fmt: skip
    assert (invited[JONAS]["all_groups"], invited[JONAS]["groups"]) == (True, [])
    finished = next(event["data"] for event in got if event["type"] == "batch.finished")
    assert finished["name"]
    assert sum(finished["outcomes"].values())
    assert "lena" not in json.dumps(got).lower(), "she was erased before anything was told"


def test_accepting_an_invitation_is_told_with_the_account_and_erasure_holds_for_what_still_waits(
    receiver: Receiver, owner: Client, client: Client
) -> None:
    endpoint = add(receiver)
    invitation = make_invitation(INES, by=owner.user)
    client.post(f"/invitations/{token_of(invitation)}", {"name": "Ines Carvalho", "password": PASSWORD})
    ines = db.session.scalars(db.select(User).where(User.email == INES)).one()
    chain.seal()
    carry_out(owner, begin_action(owner, "deactivate", ines))
    chain.seal()
    receiver.answers.append(500)
    jobs.deliver(endpoint.id)
    owner.post(f"/users/{ines.id}/erasure", {"current": PASSWORD})
    chain.seal()
    pass_time(seconds=5)
    jobs.deliver(endpoint.id)
    first, *rest = receiver.got
    jsonschema.validate(first.event, SCHEMA)
    assert (first.event["type"], first.event["data"]["user"], first.about) == ("invitation.accepted", ines.id, INES)
    assert rest[0].id == first.id
    assert INES not in " ".join(each.body.decode() for each in rest)
    assert rest[-1].event["type"] == "user.erased"
    assert rest[-1].event["data"]["user"] == ines.id


def test_the_example_of_the_documentation_is_signed_as_it_says() -> None:
    """By hand: the library refuses what is old."""
    text = Path("docs/webhooks.md").read_text(encoding="utf-8")
    head, body = re.findall(r"```\nPOST (.*?)\n```", text, re.DOTALL)[0].split("\n\n")
    headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
    secret = re.findall(r"`(whsec_\S+?)`\. An", text)[0]
    at = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert Webhook(secret).sign(headers["webhook-id"], at, body) == headers["webhook-signature"]
    jsonschema.validate(json.loads(body), SCHEMA)


def test_every_type_has_a_schema_and_a_title() -> None:
    documented = [each["properties"]["type"]["const"] for each in SCHEMA["oneOf"]]
    assert documented == [*TYPES, "webhook.test"]
    assert tuple(TITLES) == TYPES
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(
            {"type": "user.erased", "timestamp": "x", "data": {"user": 1, "by": None, "batch": None, "more": 1}}, SCHEMA
        )


# What goes wrong


def test_a_failing_event_holds_back_those_behind_it_and_arrives_in_the_end(receiver: Receiver) -> None:
    receiver.answers.extend([500, 500, 200, 429, 302, 200])
    endpoint = add(receiver)
    invite(*PEOPLE)
    waits = []
    for _ in range(4):
        jobs.deliver(endpoint.id)
        waits.append(due_in(endpoint))
        pass_time(hours=10)
    jobs.deliver(endpoint.id)
    assert receiver.about == [INES, INES, INES, JONAS, JONAS, JONAS, LENA]
    assert len({each.id for each in receiver.got}) == 3
    assert waits[:4] == pytest.approx([5, 300, 5, 300], abs=2)
    assert statuses(endpoint) == [200, 200, 302, 429, 200, 500, 500]
    assert now(endpoint).failed_since is None


def test_the_pauses_grow_as_documented_and_after_five_days_it_is_turned_off_with_an_alarm(
    receiver: Receiver, owner: Client, admin: Client
) -> None:
    receiver.answers.extend([503] * 99)
    endpoint = add(receiver)
    invite(INES, JONAS)
    waits = []
    while now(endpoint).disabled_at is None:
        jobs.deliver(endpoint.id)
        waits.append(due_in(endpoint))
        pass_time(seconds=waits[-1] + 1)
    hours = 3600
    assert waits[:7] == pytest.approx([5, 300, 1800, 2 * hours, 5 * hours, 10 * hours, 10 * hours], abs=2)
    assert sum(waits[:-1]) == pytest.approx(5 * 24 * hours, abs=10 * hours)
    jobs.deliver(endpoint.id)
    assert len(receiver.got) == len(waits), "it is off"
    assert delivery.list_due() == []
    assert "was turned off" in owner.get("/").page.text
    assert "was turned off" not in admin.get("/").page.text
    receiver.answers.clear()
    endpoints.resume(endpoint.id, owner.user)
    jobs.deliver(endpoint.id)
    assert receiver.about[-2:] == [INES, JONAS], "nothing was lost"
    assert "was turned off" not in owner.get("/").page.text


def test_410_turns_it_off_at_once(receiver: Receiver) -> None:
    receiver.answers.append(410)
    endpoint = add(receiver)
    invite(INES, JONAS)
    jobs.deliver(endpoint.id)
    pass_time(days=1)
    jobs.deliver(endpoint.id)
    assert receiver.about == [INES]
    assert (now(endpoint).disabled_why, now(endpoint).why_off) == ("gone", "The receiver answered 410: it wants no more events.")


@pytest.mark.parametrize("kind", [SILENT, DRIPPING])
@pytest.mark.parametrize("tls", [False, True])
def test_a_receiver_that_does_not_answer_in_time_has_failed(
    app: Flask, monkeypatch: pytest.MonkeyPatch, change_settings: Callable[..., Any], kind: int, tls: bool
) -> None:
    monkeypatch.setattr(webhooks, "SECONDS", 0.4)
    change_settings(ca_file=str(CERTIFICATE))
    with Receiver(kind, tls=tls) as receiver:
        endpoint = add(receiver)
        invite(INES)
        began = time.monotonic()
        jobs.deliver(endpoint.id)
        assert time.monotonic() - began < 5
        assert statuses(endpoint) == ["timeout"]
        pass_time(seconds=5)
        jobs.deliver(endpoint.id)
        assert receiver.about == [INES, INES]


def test_no_redirect_is_followed(receiver: Receiver) -> None:
    receiver.answers.append(307)
    endpoint = add(receiver)
    invite(INES)
    jobs.deliver(endpoint.id)
    assert [each.path for each in receiver.got] == ["/muster?key=north"]
    assert now(endpoint).last_answers[0]["text"] == "307, a redirect, which Muster does not follow"


def test_a_certificate_counts_where_its_authority_is_known(app: Flask, change_settings: Callable[..., Any]) -> None:
    with Receiver(tls=True) as receiver:
        endpoint = add(receiver)
        invite(INES)
        jobs.deliver(endpoint.id)
        assert statuses(endpoint) == ["certificate"]
        assert receiver.got == []
        change_settings(ca_file=str(CERTIFICATE))
        pass_time(seconds=5)
        jobs.deliver(endpoint.id)
        assert receiver.about == [INES]


NOWHERE = {
    "http://nowhere.invalid/": "name",
    "http://two..dots.example/": "name",
    f"https://{'a' * 64}.example/": "name",
    "http://127.0.0.1:1/": "broken",
}


@pytest.mark.parametrize(("url", "code"), NOWHERE.items())
def test_a_receiver_that_is_not_there_has_failed(app: Flask, url: str, code: str) -> None:
    endpoint = endpoints.add(url, TYPES, make_persona("Owner"))
    invite(INES)
    jobs.deliver(endpoint.id)
    assert statuses(endpoint) == [code]


def test_a_receiver_that_says_200_has_taken_it_whatever_becomes_of_its_body(receiver: Receiver) -> None:
    receiver.answers.append(BROKEN_OFF)
    endpoint = add(receiver)
    invite(INES, JONAS)
    jobs.deliver(endpoint.id)
    assert receiver.about == [INES, JONAS]


def test_a_server_that_speaks_no_tls_has_failed(receiver: Receiver) -> None:
    endpoint = endpoints.add(receiver.url.replace("http:", "https:"), TYPES, make_persona("Owner"))
    invite(INES)
    jobs.deliver(endpoint.id)
    assert statuses(endpoint) == ["broken"]


def test_a_port_that_takes_connections_and_never_begins_tls_has_failed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "SECONDS", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        endpoint = endpoints.add(f"https://127.0.0.1:{frozen.getsockname()[1]}/", TYPES, make_persona("Owner"))
        invite(INES)
        jobs.deliver(endpoint.id)
    assert statuses(endpoint) == ["timeout"]


def test_a_name_that_leads_to_a_link_local_address_is_not_called(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    local = ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.1.1"]
    assert [webhooks.is_link_local(each) for each in [*local, "10.0.0.5", "::1", "example.org"]] == [True] * 3 + [False] * 3
    # no machine of ours has a server there, so the address that this one answers from counts as such
    monkeypatch.setattr(webhooks, "is_link_local", lambda address: address == "127.0.0.1")
    endpoint = add(receiver)
    invite(INES)
    jobs.deliver(endpoint.id)
    assert (statuses(endpoint), receiver.got) == (["link_local"], [])


# Workers


def test_a_worker_that_is_killed_in_between_loses_nothing(settings: Settings, receiver: Receiver) -> None:
    receiver.answers.extend([200, SILENT])
    endpoint = add(receiver)
    invite(*PEOPLE)
    environ = {
        "MUSTER_DATA_DIR": str(settings.data_dir),
        "MUSTER_DATABASE_URL": settings.database_url,
        "MUSTER_TIME_ZONE": "UTC",
    }
    code = "from webapp.app import create_app\nfrom webapp.jobs.webhooks import deliver\n"
    code += f"with create_app().app_context(): deliver({endpoint.id})"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
    worker = subprocess.Popen([sys.executable, "-c", code], env=inherited | environ)
    wait_for(lambda: len(receiver.got) == 2, "it waits for an answer")
    worker.kill()
    worker.wait()
    jobs.deliver(endpoint.id)
    assert receiver.about == [INES, JONAS], "what the dead worker claimed is its own for a minute"
    assert delivery.list_due() == []
    pass_time(seconds=61)
    assert delivery.list_due() == [endpoint.id]
    jobs.deliver(endpoint.id)
    assert receiver.about == [INES, JONAS, JONAS, LENA]
    assert receiver.got[1].id == receiver.got[2].id


def test_several_workers_at_once_deliver_each_event_once_and_in_order(app: Flask, receiver: Receiver) -> None:
    people = [f"pupil{n:02}@northfield.example" for n in range(40)]
    endpoint_id = add(receiver).id
    invite(*people)

    def work() -> None:
        with app.app_context():
            while len(receiver.got) < len(people):
                jobs.deliver(endpoint_id, turn=0.05)
            db.session.remove()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert receiver.about == people
    assert receiver.most_at_once == 1


def test_what_a_worker_that_was_overtaken_records_counts_no_more(receiver: Receiver) -> None:
    endpoint = add(receiver)
    invite(INES, JONAS)
    late = delivery.claim(endpoint.id, "late")
    assert late
    pass_time(seconds=61)
    first = delivery.claim(endpoint.id, "other")
    assert first
    assert first.id == late.id
    delivery.record(first, "other", webhooks.Answer(200, "answered"))
    delivery.record(late, "late", webhooks.Answer(500, "answered"))
    assert statuses(endpoint) == [200]
    assert now(endpoint).tries == 0


def test_the_sweep_seals_and_delivers_with_and_without_the_queue(receiver: Receiver) -> None:
    add(receiver)
    events.record(make_persona("Owner"), "invitation.revoked", make_invitation(INES))
    db.session.commit()
    maintenance.tick("one")
    assert receiver.about == [INES]


def test_the_sweep_rings_for_a_worker_once(receiver: Receiver, queue: str) -> None:
    add(receiver)
    invite(INES)
    maintenance.tick("one")
    maintenance.tick("two")
    assert queue_module.depth() == 1
    assert receiver.got == []


def test_a_worker_that_is_asked_to_stop_gives_the_endpoint_back(receiver: Receiver, stop_asked: Callable[[], None]) -> None:
    endpoint = add(receiver)
    invite(INES, JONAS)
    claimed = delivery.claim(endpoint.id, "one")
    assert claimed
    delivery.record(claimed, "one", webhooks.Answer(200, "answered"))
    assert delivery.list_due() == []
    delivery.release(endpoint.id, "other")
    assert delivery.list_due() == [], "it is not the other's"
    delivery.release(endpoint.id, "one")
    stop_asked()
    jobs.deliver(endpoint.id)
    assert receiver.got == []
    assert delivery.list_due() == [endpoint.id]


# The log


def count_events() -> int:
    return db.session.scalar(db.select(db.func.count(AuditEvent.id)).where(AuditEvent.action == "invitation.revoked")) or 0


def test_retention_waits_for_what_was_not_told_but_not_for_ever(
    receiver: Receiver, owner: Client, change_settings: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_settings(audit_days=30)
    receiver.answers.extend([500] * 9)
    endpoint = add(receiver, "invitation.revoked")
    invite(INES)
    jobs.deliver(endpoint.id)
    for ago, left in ((40, 1), (59, 1), (62, 0)):
        monkeypatch.setattr(chain, "utcnow", lambda ago=ago: utcnow() + timedelta(days=ago))
        chain.prune()
        assert count_events() == left, ago
        assert ("Some events are gone" in owner.get(f"/settings/webhooks/{endpoint.id}").page.text) is (left == 0)
    monkeypatch.undo()
    change_settings(audit_days=30)
    invite(JONAS)
    receiver.answers.clear()
    pass_time(hours=1)
    jobs.deliver(endpoint.id)
    assert receiver.about == [INES, JONAS], "it goes on behind what is gone"
    monkeypatch.setattr(chain, "utcnow", lambda: utcnow() + timedelta(days=40))
    chain.prune()
    assert count_events() == 0, "all was told"


def test_a_chain_that_is_started_over_loses_no_event_and_keeps_the_ids(receiver: Receiver) -> None:
    receiver.answers.extend([200, 500])
    endpoint = add(receiver)
    events.count_refusal("session.refused", None, "somebody")
    invite(*PEOPLE)
    jobs.deliver(endpoint.id)
    chain.start_over()
    chain.seal()
    pass_time(seconds=5)
    jobs.deliver(endpoint.id)
    assert receiver.about == [INES, JONAS, JONAS, LENA]
    assert not chain.verify().problems


# Secrets


def test_while_a_secret_is_changed_both_sign_and_after_a_day_the_new_one_alone(receiver: Receiver) -> None:
    endpoint = add(receiver)
    former = endpoints.derive_secret(endpoint)
    new = endpoints.derive_secret(endpoints.renew_secret(endpoint.id, make_persona("Owner")))
    invite(INES)
    jobs.deliver(endpoint.id)
    for secret in (former, new):
        Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)
    pass_time(hours=25)
    invite(JONAS)
    jobs.deliver(endpoint.id)
    Webhook(new).verify(receiver.got[1].body, receiver.got[1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(former).verify(receiver.got[1].body, receiver.got[1].headers)


def test_a_new_server_key_signs_beside_the_former_one(
    receiver: Receiver, change_settings: Callable[..., Any], settings: Settings
) -> None:
    endpoint = add(receiver)
    former = endpoints.derive_secret(endpoint)
    change_settings(secret_key="another key of the server " * 3, secret_key_fallbacks=(settings.secret_key,))
    invite(INES)
    jobs.deliver(endpoint.id)
    for secret in (former, endpoints.derive_secret(now(endpoint))):
        Webhook(secret).verify(receiver.got[0].body, receiver.got[0].headers)
    stored = str(db.session.execute(Endpoint.__table__.select()).all())
    assert former.removeprefix("whsec_") not in stored
