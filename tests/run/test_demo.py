"""`make demo`: an example school in which no page is empty, and the way in."""

from __future__ import annotations

import http.client
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.run.conftest import PATIENCE, TOP, Muster

pytestmark = pytest.mark.slow


def test_a_school_in_every_state_and_links_that_sign_in_once(muster: Muster) -> None:
    muster.environ["MUSTER_MAX_ROWS"] = "1"  # of an installation: it is not the demo's
    muster.started("demo", str(muster.data_dir))
    with closing(sqlite3.connect(muster.data_dir / "muster.db")) as database:
        (people,) = database.execute(
            "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM invitations WHERE state = 'pending')"
        ).fetchone()
        states = dict(database.execute("SELECT name, state FROM batches WHERE kind = 'upload'").fetchall())
        of_support = "SELECT outcome FROM rows JOIN batches ON batches.id = batch_id WHERE batches.name = 'support-staff.csv'"
        outcomes = Counter(outcome for (outcome,) in database.execute(of_support))
        joined = "SELECT batches.name, count(user_id) FROM invitations JOIN batches ON batches.id = batch_id GROUP BY 1"
        assert dict(database.execute(joined).fetchall())["support-staff.csv"] == 14
    assert people == 60
    assert states == {
        "autumn-staff.csv": "finished",
        "exam-week.csv": "reverted",
        "support-staff.csv": "finished",
        "supply-teachers.csv": "processing",
        "sports-day.csv": "reviewing",
        "club-leaders.csv": "mapping",
    }
    assert outcomes == {"invited": 22, "failed": 2}

    said = muster.output()
    for who, name in (("the Owner", "the Owner"), ("an Analyst", "Ada Jones")):
        link = re.search(rf"Sign in as {who}: (\S+)", said)
        assert link
        assert f"<h1>Sign in as {name}</h1>" in sign_in(muster, urlsplit(link[1]).path)
        assert muster.get(urlsplit(link[1]).path)[0] == 410
    mails = list((muster.data_dir / "inbox").glob("*ada.jones@hillcrest.sch.uk.eml"))
    (mail,) = [BytesParser(policy=default).parsebytes(each.read_bytes()) for each in mails]
    assert mail["Subject"] == "Margaret Doyle invited you to Hillcrest School"
    again = run_demo(muster, muster.data_dir)
    assert (again.returncode, again.stderr.startswith("Muster runs already on the data folder")) == (1, True)
    verified = [sys.executable, "-m", "flask", "--app", "wsgi", "muster", "audit", "verify"]
    assert subprocess.run(verified, cwd=TOP, env=muster.environ, timeout=PATIENCE).returncode == 0
    assert muster.stop() == 0


def test_a_folder_of_somebody_else_is_left_alone(muster: Muster) -> None:
    muster.migrated()
    (muster.data_dir / "demo").mkdir()  # a name that many folders hold
    refused = run_demo(muster, muster.data_dir)
    assert refused.returncode == 1
    assert refused.stderr == f"“{muster.data_dir}” is not the demo’s: move it away, or name another folder.\n"
    assert sorted(file.name for file in muster.data_dir.iterdir()) == ["demo", "muster.db"]


def run_demo(muster: Muster, folder: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "demo", str(folder)]
    return subprocess.run(argv, cwd=TOP, env=muster.environ, capture_output=True, text=True, timeout=PATIENCE)


def sign_in(muster: Muster, path: str) -> str:
    """Open a sign-in link and press its button. -> the link's page."""
    connection = http.client.HTTPConnection("127.0.0.1", muster.port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    page, cookie = answer.read().decode(), (answer.getheader("Set-Cookie") or "").partition(";")[0]
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert token
    headers = {"Cookie": cookie, "X-CSRFToken": token[1], "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", path, "password=", headers)
    signed_in = connection.getresponse()
    assert (signed_in.status, signed_in.getheader("Location")) == (303, "/")
    return page
