"""Programs do the main job: rows in, looked at, corrected, confirmed, reported."""

from __future__ import annotations

import io

import pytest
from webapp.db import begin_write, db
from webapp.jobs import batches as job
from webapp.models import Batch, BatchState, Invitation, Row, RowEdit
from webapp.services.directory import lookup

from tests.at_once import at_once
from tests.client import Client
from tests.factories import make_user, role
from tests.program import API, PEOPLE, program_of
from tests.steps import FILE, edit

ODD = [
    {"email": "ana@northfield.example", "role": "Analsyt", "groups": ["Student Devices"]},
    {"email": "ben@northfield", "role": "Analyst"},
    {"email": "", "role": ""},
]


@pytest.fixture
def program(app, known_groups):
    return program_of(app)


def test_rows_become_invitations(program):
    batch = program.stage()
    assert (batch["state"], batch["counts"]["invite"], batch["to_send"]) == ("reviewing", 2, 2)
    answer = program.confirm(batch["id"])
    assert (answer.location, answer.json["state"]) == (f"/api/v1/batches/{batch['id']}", "queued")
    job.process(batch["id"])
    rows = program.get(f"/batches/{batch['id']}/rows?outcome=waiting").json["rows"]
    assert [row["email"] for row in rows] == [row["email"] for row in PEOPLE]
    assert program.get(f"/batches/{batch['id']}/report").json["outcomes"] == {"waiting": 2}
    assert db.session.scalar(db.select(db.func.count(Invitation.id))) == 2


def test_a_file_becomes_a_batch(program):
    answer = program.post(
        "/batches", status=201, data={"file": (io.BytesIO(FILE.encode()), "staff.csv"), "options": '{"skip_errors": true}'}
    )
    assert (answer.json["name"], answer.json["rows"], answer.json["options"]["skip_errors"]) == ("staff.csv", 2, True)
    assert answer.location == f"/api/v1/batches/{answer.json['id']}"


def test_options_are_those_of_the_one_commit_that_stages(program):
    options = {"mode": "add", "change_roles": True, "valid_days": 3, "message": "Hello\nyou"}
    batch = program.stage(options=options)
    assert {name: batch["options"][name] for name in options} == options
    assert (batch["options"]["skip_errors"], db.session.scalar(db.select(db.func.count(RowEdit.id)))) == (False, 0)


def test_what_is_wrong_is_said_with_a_suggestion_and_no_row_is_skipped(program):
    batch = program.stage(ODD)
    rows = program.get(f"/batches/{batch['id']}/rows").json["rows"]
    assert [row["line"] for row in rows] == [2, 3, 4]
    assert rows[0]["issues"] == [{"field": "role", "code": "role_unknown", "text": "Not a role.", "suggestion": "Analyst"}]
    assert [issue["code"] for issue in rows[2]["issues"]] == ["email_missing", "role_missing"]
    refused = program.confirm(batch["id"], 409).json
    assert (refused["type"], refused["detail"]) == (
        "urn:muster:rows-in-the-way",
        "Nothing was sent. 3 rows need attention: fix it, or tick “Skip them”.",
    )


def test_a_row_is_edited_and_judged_again(program):
    batch = program.stage(ODD)
    row = program.get(f"/batches/{batch['id']}/rows").json["rows"][0]
    edited = program.patch(f"/batches/{batch['id']}/rows/{row['id']}", {"role": "Analyst", "groups": ["All groups"]}).json
    assert (edited["issues"], edited["plan"], edited["after"]) == ([], "invite", {"role": "Analyst", "groups": ["All groups"]})
    program.send("DELETE", f"/batches/{batch['id']}/rows/{row['id']}", 204)
    assert program.get(f"/batches/{batch['id']}").json["rows"] == 2


@pytest.mark.parametrize("text", ["Analyst\0", "Analyst\ud800"])
def test_a_cell_with_what_no_database_keeps_is_refused(program, text):
    batch = program.stage()
    row = program.get(f"/batches/{batch['id']}/rows").json["rows"][0]
    answer = program.patch(f"/batches/{batch['id']}/rows/{row['id']}", {"role": text}, 422)
    assert answer.json["type"] == "urn:muster:invalid-values"


def test_what_is_safe_is_tidied_up(program):
    batch = program.stage(ODD)
    fixes = program.get(f"/batches/{batch['id']}/fixes").json["fixes"]
    assert next((fix["field"], fix["old"], fix["new"]) for fix in fixes if fix["is_safe"]) == ("role", "Analsyt", "Analyst")
    done = program.post(f"/batches/{batch['id']}/tidy-up", {}, 200).json
    assert done["fixed"] == sum(fix["is_safe"] for fix in fixes)
    assert done["batch"]["counts"] == {"invite": 2, "update": 0, "unchanged": 0, "attention": 1, "duplicate": 0}


def test_a_group_is_created_only_by_a_token_that_may(app, known_groups):
    rows = [{"email": "ana@northfield.example", "role": "Analyst", "groups": ["Robotics"]}]
    narrow = program_of(app, permissions=["invitations:make"])
    batch = narrow.stage(rows)
    [fix] = narrow.get(f"/batches/{batch['id']}/fixes").json["fixes"]
    narrow.post(f"/batches/{batch['id']}/tidy-up", {"ids": [fix["id"]]}, 403)
    assert narrow.post(f"/batches/{batch['id']}/tidy-up", {}, 200).json["fixed"] == 0
    assert program_of(app).post(f"/batches/{batch['id']}/tidy-up", {}, 200).json["batch"]["counts"]["attention"] == 0


# What was seen is what is done


def test_confirming_takes_what_was_seen(program, owner):
    batch = program.stage()
    seen = program.get(f"/batches/{batch['id']}").headers["ETag"]
    address = f"/batches/{batch['id']}/confirmation"
    assert program.post(address, status=428).json["type"] == "urn:muster:version-missing"
    for tag in ("*", f"W/{seen}", f"{seen}, {seen}", '"nonsense"', "1"):
        program.post(address, status=412, headers={"If-Match": tag})
    edit(owner, db.session.get_one(Batch, batch["id"]), 2, "groups", "Teacher Laptops")
    moved = program.post(address, status=412, headers={"If-Match": seen}).json
    assert moved["detail"].startswith("Nothing was sent. Maren Okafor changed Groups in row 2.")
    assert db.session.get_one(Batch, batch["id"]).state is BatchState.REVIEWING
    program.confirm(batch["id"])


def test_ones_own_edit_moves_it_too(program):
    batch = program.stage()
    seen = program.get(f"/batches/{batch['id']}").headers["ETag"]
    program.patch(f"/batches/{batch['id']}", {"skip_errors": True})
    program.post(f"/batches/{batch['id']}/confirmation", status=412, headers={"If-Match": seen})


def test_confirming_twice_is_one_confirm(program):
    batch = program.stage()
    seen = program.get(f"/batches/{batch['id']}").headers["ETag"]
    for _ in range(2):
        program.post(f"/batches/{batch['id']}/confirmation", status=202, headers={"If-Match": seen})


def test_plans_that_went_stale_are_shown_fresh_and_stored_afterwards(program):
    batch = program.stage()
    make_user("Ana Lund", "Analyst", email="ana@northfield.example")
    begin_write()
    lookup.commit()
    shown = program.get(f"/batches/{batch['id']}")
    assert (shown.json["counts"]["invite"], shown.json["counts"]["update"]) == (1, 1)
    program.post(f"/batches/{batch['id']}/confirmation", status=202, headers={"If-Match": shown.headers["ETag"]})


def test_a_get_without_news_is_304(program):
    batch = program.stage()
    tag = program.get(f"/batches/{batch['id']}").headers["ETag"]
    assert program.get(f"/batches/{batch['id']}", 304, headers={"If-None-Match": tag}).data == b""
    program.patch(f"/batches/{batch['id']}", {"valid_days": 3})
    program.get(f"/batches/{batch['id']}", 200, headers={"If-None-Match": tag})


def test_to_make_administrators_takes_a_token_that_may(app):
    rows = [{"email": "ana@northfield.example", "role": "Admin"}]
    plain = program_of(app)
    batch = plain.stage(rows)
    assert batch["administrators"] == 1
    assert plain.confirm(batch["id"], 403).json["type"] == "urn:muster:password-required"
    program_of(app, may_make_admins=True).confirm(batch["id"])


# The same request again


def test_the_same_key_makes_one_batch(program):
    sent = {"headers": {"Idempotency-Key": "night-2026-12-01"}}
    first = program.post("/batches", {"rows": PEOPLE}, 201, **sent)
    again = program.post("/batches", {"rows": PEOPLE}, 200, **sent)
    assert (again.json["id"], again.headers["Idempotency-Replayed"]) == (first.json["id"], "true")
    assert "Idempotency-Replayed" not in first.headers
    other = program.post("/batches", {"rows": PEOPLE[:1]}, 422, **sent)
    assert other.json["type"] == "urn:muster:key-reused"
    program.post("/batches", {"rows": PEOPLE, "options": {"skip_errors": True}}, 422, **sent)
    program.post("/batches", {"rows": PEOPLE}, 422, headers={"Idempotency-Key": "two words"})


def test_eight_at_once_with_one_key_make_one_batch(app, known_groups):
    program = program_of(app)
    answers = []

    def post() -> None:
        sent = {"Authorization": f"Bearer {program.text}", "Idempotency-Key": "night"}
        answers.append(Client(app).send("POST", f"{API}/batches", None, csrf=False, headers=sent, json={"rows": PEOPLE}))

    assert at_once(app, *[post] * 8) == []
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert db.session.scalar(db.select(db.func.count(Batch.id))) == 1


def test_a_key_is_of_one_user(app, known_groups):
    sent = {"headers": {"Idempotency-Key": "night"}}
    mine = program_of(app).post("/batches", {"rows": PEOPLE}, 201, **sent)
    theirs = program_of(app, "Owner").post("/batches", {"rows": PEOPLE}, 201, **sent)
    assert mine.json["id"] != theirs.json["id"]


def test_a_long_file_is_split_and_the_key_is_that_of_all_parts(program, change_settings):
    change_settings(max_rows=1)
    refused = program.post("/batches", {"rows": PEOPLE}, 422).json
    assert (refused["type"], refused["parts"]) == ("urn:muster:unreadable-file", 2)
    sent = {"headers": {"Idempotency-Key": "night"}}
    first = program.post("/batches?split=true", {"rows": PEOPLE}, 201, **sent).json
    assert len(first["parts"]) == 2
    assert program.post("/batches?split=true", {"rows": PEOPLE}, 200, **sent).json["parts"] == first["parts"]


# Columns


def test_columns_are_looked_at_and_matched(program):
    data = {"file": (io.BytesIO(b"a,b,c\nana@northfield.example,Analyst,x\n"), "odd.csv")}
    batch = program.post("/batches", status=201, data=data).json
    assert batch["state"] == "mapping"
    columns = program.get(f"/batches/{batch['id']}/columns").json["columns"]
    assert [(column["name"], column["use"]) for column in columns][:2] == [("a", "email"), ("b", "role")]
    wrong = program.send("PUT", f"/batches/{batch['id']}/columns", 422, json={"columns": ["email", "", ""]})
    assert wrong.json["type"] == "urn:muster:unreadable-file"
    matched = program.send("PUT", f"/batches/{batch['id']}/columns", json={"columns": ["email", "role", ""]}).json
    assert (matched["state"], matched["rows"]) == ("reviewing", 1)


# At work, and afterwards


def test_a_batch_is_paused_resumed_and_cancelled(program):
    batch = program.stage()
    program.post(f"/batches/{batch['id']}/pause", status=409)
    program.confirm(batch["id"])
    for what, state in (("pause", "paused"), ("resumption", "queued"), ("cancellation", "cancelled")):
        assert program.post(f"/batches/{batch['id']}/{what}", status=202).json["state"] == state


def test_a_batch_is_discarded_once(program):
    batch = program.stage()
    program.send("DELETE", f"/batches/{batch['id']}", 204)
    assert program.send("DELETE", f"/batches/{batch['id']}", 409).json["type"] == "urn:muster:not-under-review"


def test_a_batch_is_reverted_by_one_of_its_own(program):
    batch = program.stage()
    program.confirm(batch["id"])
    program.post(f"/batches/{batch['id']}/reversal", status=409)
    job.process(batch["id"])
    program.post(f"/batches/{batch['id']}/cancellation", status=202)
    assert program.post(f"/batches/{batch['id']}/retries", status=202).json == {"retried": 0}
    program.post(f"/batches/{batch['id']}/reversal", status=409)  # its invitations were withdrawn


def test_what_changed_people_is_taken_back(program):
    eve = make_user("Eve Roth", "Remote")
    batch = program.stage([{"email": eve.email, "role": "Remote", "groups": ["Student Devices"]}])
    program.confirm(batch["id"])
    job.process(batch["id"])
    revert = program.post(f"/batches/{batch['id']}/reversal").json
    assert (revert["kind"], revert["to_send"]) == ("revert", 1)
    assert program.post(f"/batches/{batch['id']}/reversal").json["id"] == revert["id"]
    program.confirm(revert["id"])
    job.process(revert["id"])
    assert program.get(f"/users/{eve.id}").json["groups"] == []


def test_who_is_missing_becomes_an_action(program):
    for name in ("Cleo Day", "Dan Fox"):
        make_user(name, "Remote", groups=("Student Devices",))
    batch = program.stage()
    group = role("Remote")
    missing = program.get(f"/batches/{batch['id']}/missing?scope=role-{group.id}").json
    assert (missing["size"], len(missing["people"])) == (2, 2)
    answer = program.post(f"/batches/{batch['id']}/missing", {"scope": f"role-{group.id}"})
    assert (answer.json["kind"], answer.json["number_needed"]) == ("action", True)
    program.confirm(answer.json["id"], 422)
    program.confirm(answer.json["id"], 202, {"number": 2})


# Lists


def test_lists_go_on_where_they_ended(program):
    ids = [program.stage()["id"] for _ in range(3)]
    page = program.get("/batches?limit=2").json
    assert [batch["id"] for batch in page["batches"]] == ids[:0:-1]
    last = program.get(page["next"])
    assert ([batch["id"] for batch in last.json["batches"]], last.json["next"]) == (ids[:1], None)
    rows = program.get(f"/batches/{ids[0]}/rows?limit=1")
    assert rows.headers["Link"] == f'<{rows.json["next"]}>; rel="next"'
    assert [row["line"] for row in program.get(rows.json["next"]).json["rows"]] == [3]


def test_a_list_costs_the_same_however_long_it_is(program, queries):
    program.stage()
    program.get("/batches")
    queries.clear()
    program.get("/batches")
    few = len(queries)
    for _ in range(3):
        program.stage()
    queries.clear()
    program.get("/batches")
    assert len(queries) == few, queries


def test_rows_cost_the_same_however_many_there_are(program, queries):
    one, many = (
        program.stage([{"email": f"u{n}@northfield.example", "role": "Remote"} for n in range(rows)]) for rows in (1, 50)
    )
    program.get(f"/batches/{one['id']}/rows")
    queries.clear()
    program.get(f"/batches/{one['id']}/rows")
    few = len(queries)
    queries.clear()
    program.get(f"/batches/{many['id']}/rows")
    assert len(queries) == few, queries


def test_people_go_on_in_the_browser_with_what_a_program_sent(program, owner):
    batch = program.stage(ODD)
    owner.get(f"/batches/{batch['id']}")
    owner.get(f"/batches/{batch['id']}/mapping")
    assert db.session.scalar(db.select(db.func.count(Row.id))) == 3
