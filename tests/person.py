"""Somebody at a browser without scripts, who reaches Muster over HTTP.

`python -m tests.person URL`: is its Owner, imports a file, and says what became of it.
"""

from __future__ import annotations

import secrets
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Protocol

from tests.client import Page
from tests.factories import PASSWORD

OWNER = "maren.okafor@northfield.example"
PEOPLE = "Email,Role,Groups\nines.carvalho@northfield.example,Analyst,All groups\njonas.weber@northfield.example,Remote,\n"
WORKBOOK = Path(__file__).parents[1] / "examples" / "new-starters.xlsx"
PATIENCE = 120  # seconds


class Reached(Protocol):
    """A Muster that can be reached."""

    @property
    def url(self) -> str: ...


@dataclass(frozen=True)
class Address:
    """Where a Muster is that something else has started."""

    url: str


class Person:
    """Can go from one machine to another: the proxy in front gives all of them one address."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, machine: Reached, path: str) -> Page:
        return self._open(machine.url + path)

    def post(self, machine: Reached, path: str, form_on: str, **form: str) -> Page:
        """Send a form that stands on the page `form_on`."""
        token = self.get(machine, form_on).values("csrf_token")[0]
        return self._open(machine.url + path, urllib.parse.urlencode({"csrf_token": token, **form}).encode())

    def upload(self, machine: Reached, name: str, content: bytes) -> Page:
        """Drop a file in the dialog."""
        token = self.get(machine, "/users?invite=bulk").values("csrf_token")[0]
        mark = secrets.token_hex(16)
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{token}\r\n'.encode(),
            f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode(),
            content,
            f"\r\n--{mark}--\r\n".encode(),
        ]
        kind = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return self._open(urllib.request.Request(f"{machine.url}/batches", b"".join(parts), kind))

    def _open(self, what: str | urllib.request.Request, data: bytes | None = None) -> Page:
        with self._opener.open(what, data, timeout=PATIENCE) as answer:
            self.path = urllib.parse.urlsplit(answer.url).path
            return Page(answer.read().decode())


def import_files(machine: Reached) -> None:
    """What people install it for, as the Owner: a workbook is read, and a file is sent."""
    owner = Person()
    owner.post(machine, "/sign-in", "/sign-in", email=OWNER, password=PASSWORD)
    assert owner.path == "/", "signed in"
    workbook = owner.upload(machine, WORKBOOK.name, WORKBOOK.read_bytes())
    assert WORKBOOK.stem in workbook.h1, workbook.text
    review = owner.upload(machine, "people.csv", PEOPLE.encode())
    batch = owner.path
    assert review.h1 == "Review people.csv", review.text
    owner.post(machine, f"{batch}/confirmation", batch, version=review.values("version")[0])
    deadline = time.monotonic() + PATIENCE
    while "Download results" not in (report := owner.get(machine, batch)).text:
        assert time.monotonic() < deadline, report.text
        time.sleep(0.1)
    assert "2 created" in report.text, report.text


if __name__ == "__main__":
    import_files(Address(sys.argv[1].rstrip("/")))
    print("A workbook was read, and the people of a file were invited.")
