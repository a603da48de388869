"""The question before what nobody wants to do by accident: a page of its own, over the page that leads there a dialog."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from webapp.db import db
from webapp.models import AuditEvent, Batch, BatchState

from tests.factories import make_batch, make_user
from tests.steps import stage


def address_of_reset_link(admin) -> str:
    return f"/users/{make_user('Amelia Hart').id}/reset-link"


def address_of_sessions(admin) -> str:
    return f"/users/{admin.user.id}/sessions/removal"


def address_of_cancelling(admin) -> str:
    return f"/batches/{make_batch(admin.user, 2, state=BatchState.PROCESSING).id}/cancellation"


ADDRESSES = [address_of_reset_link, address_of_sessions, address_of_cancelling]


@pytest.mark.parametrize("address", ADDRESSES)
def test_asking_changes_nothing_and_either_way_leads_on(admin, address: Callable[..., str]):
    path = address(admin)
    before = db.session.scalars(db.select(AuditEvent.id)).all()
    page = admin.get(path).page
    (form,) = page.all("form", id="question")
    assert (form["method"], form["action"]) == ("post", path)
    safe = page.all("a", data_close="")[0]
    admin.get(safe["href"])
    part = admin.get(path, htmx=True).page
    assert not part.whole
    assert part.all("form", id="question") == [form]
    assert db.session.scalars(db.select(AuditEvent.id)).all() == before


def test_keeping_leads_back_to_where_one_was_and_never_to_another_site(admin):
    path = address_of_reset_link(admin)
    page = admin.get(f"{path}?next=/users%3Fq%3Dhart").page
    assert [link["href"] for link in page.all("a", data_close="")] == ["/users?q=hart"]
    assert page.values("next") == ["/users?q=hart"]
    page = admin.get(f"{path}?next=//evil.example").page
    assert page.all("a", data_close="")[0]["href"] == path.removesuffix("/reset-link")
    assert page.values("next") == []


def test_what_is_over_is_not_asked_about(admin):
    batch = make_batch(admin.user, 1, state=BatchState.FINISHED)
    assert admin.get(f"/batches/{batch.id}/cancellation", 303).location == f"/batches/{batch.id}"


def test_an_upload_goes_on_until_the_question_is_answered(admin):
    path = address_of_cancelling(admin)
    assert "Rows that are not done yet are skipped. What was sent or changed stays so." in admin.get(path).page.text
    assert db.session.scalars(db.select(Batch.state)).all() == [BatchState.PROCESSING]
    admin.post(path)
    assert db.session.scalars(db.select(Batch.state)).all() == [BatchState.CANCELLED]


@pytest.mark.parametrize("file", ["Email,Role\nana@x.org,Remote\n", "A,B\n1,2\n"])
def test_an_upload_is_discarded_after_a_question(admin, file):
    batch = stage(admin, file)
    (link,) = admin.get(f"/batches/{batch.id}").page.all("a", id="discard")
    page = admin.get(link["href"]).page
    assert "Discard this upload?" in page.text
    assert "staff.csv and every edit made to it are deleted" in page.text
    assert "Nothing was sent." in page.text
    (form,) = page.all("form", id="question")
    admin.post(form["action"])
    assert "was discarded" in admin.get("/batches").page.text
    admin.get(link["href"], 303)
