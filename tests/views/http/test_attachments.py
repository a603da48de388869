"""Files to be saved: whatever their name, through the real server, and whole."""

from __future__ import annotations

import tracemalloc
from urllib.parse import unquote

import pytest
from webapp.core.files.csv_writer import write_lines
from webapp.core.text.formatting import to_one_line
from webapp.db import db
from webapp.http.attachments import attach
from webapp.models import BatchState
from werkzeug.http import parse_options_header

from tests.factories import make_invitation
from tests.mail_fixtures import make_sending_batch
from tests.served import served
from tests.steps import stage

NAMES = [
    "staff.csv",
    "Müller.csv",
    "Lehrer–2026.csv",
    "José’s list.csv",
    "名前.csv",
    "Списък на учители.csv",
    "μαθητές.csv",
    "رجال.csv",
    "🎒 école 👩‍🏫.csv",
    'quotes "and" back\\slash; 50%.csv',
    "two\r\nlines\u2028three.csv",
    "ö" * 255,
    "名" * 251 + ".csv",
    "%E2%80%93.csv",
    ".csv",
]
PARAMETERLESS = ["/users/export.csv", "/batches/template.csv", "/audit/events.csv", "/audit/events.jsonl"]
OF_A_BATCH = ["rows.csv", "report.csv", "report.csv?outcome=skipped"]


def saved_as(headers) -> str:
    """The name that a browser of today gives the file."""
    disposition = headers["Content-Disposition"]
    disposition.encode("ascii")
    kind, names = parse_options_header(disposition)
    assert kind == "attachment"
    assert names["filename"]
    return names["filename"]


@pytest.fixture
def batch(owner):
    return make_sending_batch("a@northfield.example", by=owner.user, state=BatchState.FINISHED)


@pytest.mark.any_database
def test_a_file_of_any_name_can_be_saved(app, owner, batch):
    with served(app) as server:
        for name in NAMES:
            batch.file_name = name
            db.session.commit()
            stem = name.rpartition(".")[0] or name
            shown = to_one_line(stem)
            for path, ending in zip(OF_A_BATCH, ("-rows.csv", "-results.csv", "-skipped.csv"), strict=True):
                status, headers, data = server.ask(f"/batches/{batch.id}/{path}", owner)
                assert status == 200, (name, path)
                assert saved_as(headers) == shown + ending
                assert int(headers["Content-Length"]) == len(data)
                assert headers["Content-Type"] == "text/csv; charset=utf-8"
                assert owner.get(f"/batches/{batch.id}/{path}").data == data


@pytest.mark.any_database
def test_an_upload_of_any_name_comes_back_under_it(app, owner):
    with served(app) as server:
        for name in NAMES[:-1]:
            if "\n" in name:
                continue
            uploaded = stage(owner, name=name)
            status, headers, _ = server.ask(f"/batches/{uploaded.id}/rows.csv", owner)
            assert status == 200, name
            assert saved_as(headers) == to_one_line(f"{uploaded.name.rpartition('.')[0] or uploaded.name}-rows.csv")


def test_a_browser_that_knows_only_ascii_gets_a_name_in_it(owner, batch):
    batch.file_name = "Lehrer–2026 “äöü” 名.csv"
    db.session.commit()
    disposition = owner.get(f"/batches/{batch.id}/rows.csv").headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=\"Lehrer2026 aou -rows.csv\"; filename*=UTF-8''")
    assert unquote(disposition).endswith("Lehrer–2026 “äöü” 名-rows.csv")


def test_every_address_of_a_file_is_tried_here(app):
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.endswith((".csv", ".jsonl", ".txt", ".json", ".zip"))}
    rules -= {"/api/v1/openapi.json"}  # programs read it in place
    assert rules == {*PARAMETERLESS, *(f"/batches/<int:batch_id>/{path}" for path in ("rows.csv", "report.csv"))}


def test_the_others_come_through_the_server_too(app, owner):
    make_invitation()
    with served(app) as server:
        for path in PARAMETERLESS:
            status, headers, data = server.ask(path, owner)
            assert (status, saved_as(headers)) == (200, saved_as(owner.get(path).headers)), path
            assert data
        status, headers, data = server.ask("/link-sheets", owner, "POST", "form=csv&all=yes")
        assert status == 200, data
        assert saved_as(headers).startswith("link-sheet-")
        assert b"/invitations/" in data


@pytest.mark.any_database
def test_a_long_file_is_not_held_in_memory(app):
    """It goes to disk while it is made; what is held of it then is a block."""
    lines = ([f"person{n}@northfield.example", "x" * 1000] for n in range(10_000))
    with app.test_request_context():
        tracemalloc.start()
        answer = attach(write_lines(["Email", "More"], lines), "long.csv")
        length = sum(len(block) for block in answer.response)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        answer.close()
    assert length == answer.content_length > 10_000_000
    assert most < 5_000_000
