"""A real Chromium against the real processes: web server, workers, queue server, and a real mail server."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from tests import chromium
from tests.run.conftest import Muster, wait_until
from tests.smtp_sink import Sink

OWNER = "maren.okafor@northfield.example"
PASSWORD = "correct horse battery"
GROUPS = "Student Devices,Teacher Laptops,Library Chromebooks,Science Lab iPads,Exam Laptops,Admin Office"
EXPECTED = "Failed to load resource: the server responded with a status of 4"
"""Chromium's own line on an answer of 4xx, which some tests provoke."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    quiet = (
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    )
    path = os.environ.get("CHROMIUM_PATH") or chromium.find()
    return {**browser_type_launch_args, "executable_path": path, "args": ["--no-sandbox", *quiet]}


@dataclass
class Portal:
    """A running Muster and the mail server that it hands its e-mails to."""

    muster: Muster
    sink: Sink

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.muster.port}"

    def mail_to(self, address: str) -> str:
        """The text of the newest e-mail to somebody, once it has arrived."""

        def arrived() -> str | None:
            return next((m.text for m in reversed(self.sink.messages) if address in m.recipients), None)

        return str(wait_until(arrived, f"an e-mail to {address} arrives"))


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Portal]:
    """One installation a test module, with an Owner and groups; a module's SETTINGS change it."""
    given = getattr(request.module, "SETTINGS", {})
    with Sink() as sink:
        environ = {
            "MUSTER_OWNER_EMAIL": OWNER,
            "MUSTER_OWNER_PASSWORD": PASSWORD,
            "MUSTER_GROUPS": GROUPS,
            "MUSTER_MAIL_URL": sink.url,
            "MUSTER_MAIL_FROM": "Northfield Academy <muster@northfield.example>",
            "MUSTER_TIME_ZONE": "UTC",
            **given,
        }
        muster = Muster(tmp_path_factory.mktemp("portal") / "data", **{k: v for k, v in environ.items() if v})
        try:
            yield Portal(muster.started(), sink)
            assert muster.stop() == 0, muster.output()
            assert "Traceback" not in muster.output(), muster.output()
        finally:
            muster.clean_up()


@dataclass
class Watched:
    """A page, and what must never happen on it: errors in the console, requests to other hosts, violations of axe."""

    page: Page
    portal: Portal
    problems: list[str]

    def go(self, path: str) -> Page:
        self.page.goto(self.portal.url + path)
        return self.page

    def axe(self, what: str = "") -> None:
        """Check what is on the screen now, in light and dark. axe comes in by the debugger, so that the policy stays in force."""
        self.page.wait_for_load_state()
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            self.page.evaluate(AXE_SCRIPT)
            options = json.dumps({"runOnly": RULES, "resultTypes": ["violations"]})
            found = self.page.evaluate(f"axe.run(document, {options}).then(r => r.violations)")
            told = [f"{v['id']}: {v['nodes'][0]['html'][:200]} {v['nodes'][0]['failureSummary']}" for v in found]
            assert not told, f"{what or self.page.url} in {scheme}:\n" + "\n".join(told)
        self.page.emulate_media(color_scheme="light")


@pytest.fixture
def open_page(browser: Browser, portal: Portal) -> Iterator[Callable[..., Watched]]:
    """`open_page()`: a fresh browser with nobody signed in, watched. Takes Playwright's options of a context."""
    opened: list[tuple[BrowserContext, Watched]] = []

    def make(**options: Any) -> Watched:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        context.set_default_timeout(15_000)
        watched = Watched(context.new_page(), portal, [])
        _watch(watched)
        opened.append((context, watched))
        return watched

    yield make
    for context, watched in opened:
        problems = list(watched.problems)
        context.close()
        assert not problems, problems


def _watch(watched: Watched) -> None:
    page, host = watched.page, urlsplit(watched.portal.url).netloc

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            watched.problems.append(f"{page.url}: {message.text}")

    def asked(request: Request) -> None:
        if urlsplit(request.url).netloc not in (host, ""):
            watched.problems.append(f"{page.url} asked {request.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: watched.problems.append(f"{page.url}: {error}"))
    page.on("request", asked)


@pytest.fixture
def owner(open_page: Callable[..., Watched]) -> Watched:
    """The Owner, signed in."""
    watched = open_page()
    sign_in(watched, OWNER)
    return watched


def sign_in(watched: Watched, email: str, password: str = PASSWORD) -> None:
    page = watched.go("/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(watched.portal.url + "/")


def upload(watched: Watched, text: str, name: str = "staff.csv") -> str:
    """Upload by Browse Files; the address of the review."""
    page = watched.go("/users?invite=bulk")
    page.set_input_files("#upload-file", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
    page.wait_for_url("**/batches/*")
    return urlsplit(page.url).path


def send(page: Page, name: str | re.Pattern[str], password: str = PASSWORD, *, twice: bool = False) -> None:
    """Press the send button of the review and answer its question; with the password where somebody becomes an administrator.

    name: the button's words. twice: a double click on the answer.
    """
    page.get_by_role("button", name=name).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#confirm-send")).to_be_visible()
    asked = dialog.get_by_label("Your password", exact=True)
    if asked.count():
        asked.fill(password)
    answer = dialog.get_by_role("button", name=name)
    answer.dblclick() if twice else answer.click()
