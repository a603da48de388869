"""Answers go gzipped to who takes that, and as they are to everybody else."""

from __future__ import annotations

import gzip

import pytest

from tests.steps import rows_of, stage

pytestmark = pytest.mark.any_database

TAKES = {"Accept-Encoding": "gzip, deflate, br"}


def test_a_page_is_gzipped_for_a_browser(admin):
    batch = stage(admin)
    plain = admin.get(f"/batches/{batch.id}")
    answer = admin.get(f"/batches/{batch.id}", headers=TAKES)
    assert (plain.headers.get("Content-Encoding"), answer.headers["Content-Encoding"]) == (None, "gzip")
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert b"Review staff.csv" in gzip.decompress(answer.data)
    assert int(answer.headers["Content-Length"]) == len(answer.data) < len(plain.data) / 3


def test_the_length_of_a_page_says_nothing_exact(client):
    lengths = {len(client.get("/sign-in", headers=TAKES).data) for _ in range(20)}
    assert max(lengths) - min(lengths) > 10


def test_a_static_file_is_gzipped_and_not_sent_twice(client):
    answer = client.get("/static/muster.css", headers=TAKES)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == client.get("/static/muster.css").data
    again = client.get("/static/muster.css", status=304, headers=TAKES | {"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.data) == (304, b"")


@pytest.mark.parametrize("takes", ["identity", "gzip;q=0", "br"])
def test_who_does_not_take_gzip_gets_none(client, takes):
    assert "Content-Encoding" not in client.get("/sign-in", headers={"Accept-Encoding": takes}).headers


def test_what_is_short_stays_as_it_is(client):
    assert "Content-Encoding" not in client.get("/healthz", None, headers=TAKES).headers


def test_an_edit_is_answered_in_less_than_three_kilobytes(admin):
    batch = stage(admin, "Email,Role,Groups\n" + "".join(f"u{n}@northfield.example,Analyst,\n" for n in range(99)))
    address = f"/batches/{batch.id}/rows/{rows_of(batch)[50].id}"
    cell = {"field": "role", "value": "Remote", "seen": "Analyst"}
    answer = admin.patch(address, cell, htmx=True)
    assert len(gzip.compress(answer.data)) < 3000
