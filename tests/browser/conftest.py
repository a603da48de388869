"""A real Chromium against the real processes: web server, workers, queue server, and a real mail server."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import APIResponse, Browser, ConsoleMessage, Error, Page, Request, Route, ViewportSize, expect
from webapp.settings.settings import Settings

from tests import chromium
from tests.run.conftest import Muster, wait_until
from tests.smtp_sink import Sink

OWNER = "maren.okafor@northfield.example"
PASSWORD = "correct horse battery"
GROUPS = "Student Devices,Teacher Laptops,Library Chromebooks,Science Lab iPads,Exam Laptops,Admin Office"
EXPECTED = "Failed to load resource: the server responded with a status of 4"
"""Chromium's own line on an answer of 4xx, which some tests provoke."""
WINDOW: ViewportSize = {"width": 1440, "height": 900}
PATIENCE = 30_000  # milliseconds until what should be on the screen is not
ASKED = """
const asked = window.asked = new Set();
const isOne = (ctx) => ctx.request.method !== "GET" || ctx.sourceElement.id === "send";
addEventListener("htmx:config:request", (e) => { if (!e.defaultPrevented && isOne(e.detail.ctx)) asked.add(e.detail.ctx); });
addEventListener("htmx:finally:request", (e) => asked.delete(e.detail.ctx));
"""
"""What a review was asked to do, from the key or the click until its answer is on the page: also while it waits for its turn."""
UNHURRIED = (
    "const later = setTimeout; window.setTimeout = (call, ms, ...more) => later(call, ms === 10000 ? 90000 : ms, ...more);"
)
"""A toast goes after ten seconds: on a machine that is busy, before anybody has looked."""
ON_TOP = "document.querySelector('dialog:modal, [popover]:popover-open') ?? document"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


expect.set_options(timeout=PATIENCE)


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
    kept: Watched | None = None
    """The Owner's page, which the tests of this process use one after the other."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.muster.port}"

    def mail_to(self, address: str) -> str:
        """The text of the newest e-mail to somebody, once it has arrived."""

        def arrived() -> str | None:
            return next((m.text for m in reversed(self.sink.messages) if address in m.recipients), None)

        return str(wait_until(arrived, f"an e-mail to {address} arrives"))

    def start(self) -> Portal:
        """Start it, and remember what the database holds then."""
        self.muster.started()
        wait_until(lambda: self.muster.health().get("workers"), "a worker is seen")
        with self._database() as database:
            names = [name for (name,) in database.execute(TABLES)]
            self._first = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in names}
        return self

    def empty(self) -> None:
        """Everything is again as it was after the start: for the next module's tests."""
        self.sink.messages.clear()
        self.sink.forget()
        redis.Redis(unix_socket_path=str(self._socket())).flushall()
        with self._database() as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE audit_chain SET unlocked = true")
            for name in sorted(self._first, key=lambda name: name == "audit_chain"):  # it unlocks the events
                database.execute(f"DELETE FROM {name}")
            for name, rows in self._first.items():
                for row in rows:
                    database.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
            database.execute("COMMIT")
        (self.muster.data_dir / "audit_head").unlink(missing_ok=True)

    def let_leases_end(self) -> None:
        """What a killed worker was about to send is free at once, not after the 40 s that its lease lasts."""
        with self._database() as database:
            database.execute("UPDATE messages SET lease_until = '2000-01-01 00:00:00.000000' WHERE state = 'sending'")

    def _socket(self) -> Path:
        return Settings.from_environment(self.muster.environ).queue_socket

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.muster.data_dir / "muster.db", timeout=60, isolation_level=None)) as database:
            yield database


TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('alembic_version', 'workers', 'sqlite_sequence')"


@pytest.fixture(scope="session")
def portals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[dict[str, str]], Portal]]:
    """`portals({"MUSTER_MAX_ROWS": "4"})`: an installation with these settings, with an Owner and groups. The modules of a test
    process that ask for none share one, which each finds empty; another one ends when the next module begins."""
    started: list[tuple[dict[str, str], Portal]] = []

    def get(given: dict[str, str]) -> Portal:
        for settings, portal in started:
            if settings:
                portal.muster.ask_to_stop()
            elif not given:
                portal.empty()
                return portal
        sink = Sink()
        environ = {
            "MUSTER_OWNER_EMAIL": OWNER,
            "MUSTER_OWNER_PASSWORD": PASSWORD,
            "MUSTER_GROUPS": GROUPS,
            "MUSTER_MAIL_URL": sink.__enter__().url,
            "MUSTER_MAIL_FROM": "Northfield Academy <muster@northfield.example>",
            "MUSTER_MAIL_RATE": "6000",
            "MUSTER_MAX_ROWS": "1000",
            "MUSTER_TIME_ZONE": "UTC",
            **given,
        }
        folder = tmp_path_factory.mktemp("portal") / "data"
        muster = Muster(folder, None, **{k: v for k, v in environ.items() if v}).migrated()
        started.append((given, Portal(muster, sink)))
        return started[-1][1].start()

    try:
        yield get
        for _, portal in started:
            portal.muster.ask_to_stop()
        for _, portal in started:
            assert portal.muster.wait_for_end() == 0, portal.muster.output()
            assert "Traceback" not in portal.muster.output(), portal.muster.output()
    finally:
        for _, portal in started:
            portal.muster.clean_up()
            portal.sink.__exit__(None, None, None)


@pytest.fixture(scope="module")
def portal(portals: Callable[[dict[str, str]], Portal], request: pytest.FixtureRequest) -> Portal:
    """An installation for a test module; its SETTINGS change it."""
    return portals(getattr(request.module, "SETTINGS", {}))


@dataclass
class Watched:
    """A page, and what must never happen on it: errors in the console, requests to other hosts, violations of axe."""

    page: Page
    portal: Portal
    problems: list[str]

    def go(self, path: str) -> Page:
        try:
            self.page.goto(self.portal.url + path)
        except Error as error:
            if "ERR_ABORTED" not in str(error):  # what was pressed last leads to its own page just now
                raise
            self.page.goto(self.portal.url + path)
        return self.page

    def axe(self, what: str = "", *, dark: bool = True) -> None:
        """Check what is on the screen now: all rules in light, contrast in dark, which is all that differs there.

        Of a page under a dialog or a menu only these: it is checked in a state of its own.
        axe comes in by the debugger, so that the policy stays in force.
        """
        self.page.wait_for_load_state()
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE_SCRIPT)
        for scheme, rules in (("light", RULES), ("dark", ["color-contrast"]))[: 1 + dark]:
            self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            options = json.dumps({"runOnly": rules, "resultTypes": ["violations"], "preload": False, "iframes": False})
            found = self.page.evaluate(f"axe.run({ON_TOP}, {options}).then(r => r.violations)")
            told = [f"{v['id']}: {v['nodes'][0]['html'][:200]} {v['nodes'][0]['failureSummary']}" for v in found]
            assert not told, f"{what or self.page.url} in {scheme}:\n" + "\n".join(told)
        if dark:
            self.page.emulate_media(color_scheme="light")

    def axe_at_both_widths(self, what: str) -> None:
        """No violation, and nothing stands out of the page, on a phone and on a desk."""
        for width in (390, 1440):
            fits(self.page, width)
            self.axe(f"{what} at {width}", dark=width == 390)


def new_watched(browser: Browser, portal: Portal, **options: Any) -> Watched:
    """A page of a fresh browser, watched. Takes Playwright's options of a context."""
    context = browser.new_context(**{"viewport": WINDOW, "reduced_motion": "reduce", **options})
    context.set_default_timeout(PATIENCE)
    watched = Watched(context.new_page(), portal, [])
    _watch(watched)
    return watched


@pytest.fixture
def open_page(browser: Browser, portal: Portal) -> Iterator[Callable[..., Watched]]:
    """`open_page()`: a fresh browser with nobody signed in, watched. Takes Playwright's options of a context."""
    opened: list[Watched] = []

    def make(**options: Any) -> Watched:
        opened.append(new_watched(browser, portal, **options))
        return opened[-1]

    yield make
    for watched in opened:
        problems = list(watched.problems)
        watched.page.context.close()
        assert not problems, problems


def _watch(watched: Watched) -> None:
    page, host = watched.page, urlsplit(watched.portal.url).netloc

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            watched.problems.append(f"{page.url}: {message.text}")

    def asked(request: Request) -> None:
        if urlsplit(request.url).netloc not in (host, ""):
            watched.problems.append(f"{page.url} asked {request.url}")

    page.add_init_script(ASKED)
    page.add_init_script(UNHURRIED)
    page.on("console", said)
    page.on("pageerror", lambda error: watched.problems.append(f"{page.url}: {error}"))
    page.on("request", asked)


@pytest.fixture
def owner(browser: Browser, portal: Portal) -> Iterator[Watched]:
    """The Owner, signed in, on an empty page. A test leaves nothing to the next one but what the browser has loaded."""
    watched = portal.kept = portal.kept or new_watched(browser, portal)
    context, page = watched.page.context, watched.page
    if context.request.get(portal.url + "/account", max_redirects=0).status != 200:
        sign_in(watched, OWNER)
    yield watched
    problems = list(watched.problems)
    try:
        for other in context.pages:
            if other is not page:
                other.close()
        page.unroute_all(behavior="ignoreErrors")
        context.set_offline(False)
        context.clear_permissions()
        page.set_viewport_size(WINDOW)
        page.goto(portal.url + "/static/theme.js")  # about:blank would end Chromium's process for these pages
        page.evaluate("localStorage.clear(), sessionStorage.clear()")
        watched.problems.clear()
    except Error:
        context.close()
        portal.kept = None
    assert not problems, problems


def until(page: Page, condition: str, argument: object = None) -> None:
    """This is so on the page, now or soon. Playwright's own wait_for_function asks again by eval(), which the policy forbids."""
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        with suppress(Error):  # another page comes just now
            if page.evaluate(condition, argument):
                return
        assert time.monotonic() < deadline, f"{page.url}: {condition} ({argument})"
        page.wait_for_timeout(20)


def answered(page: Page) -> None:
    """Whatever this review was asked to do is done, and the answers are on the page."""
    until(page, "!window.asked.size")


class Held:
    """Requests of a page that are held up: `on_the_way` before the server has them, `answers` after it has answered."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.routes: list[tuple[Route, APIResponse | None]] = []

    def on_the_way(self, pattern: str) -> None:
        self.page.route(pattern, lambda route: self.routes.append((route, None)), times=1)

    def answers(self, pattern: str) -> None:
        self.page.route(pattern, lambda route: self.routes.append((route, route.fetch())), times=1)

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE / 1000
        while not self.routes:
            assert time.monotonic() < deadline, "nothing was asked"
            self.page.wait_for_timeout(50)

    def let_go(self) -> None:
        self.wait()
        for route, answer in self.routes:
            route.fulfill(response=answer) if answer else route.continue_()
        self.routes.clear()


def fits(page: Page, width: int, height: int = 900) -> None:
    """Nothing stands out of the page at this width."""
    page.set_viewport_size({"width": width, "height": height})
    until(page, "width => innerWidth === width", width)
    page.wait_for_load_state()
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{page.url} is {wide} px wide at {width}"


def sign_in(watched: Watched, email: str, password: str = PASSWORD) -> None:
    """This browser has a session from now on. For the form itself: `sign_in_by_form`."""
    request, address = watched.page.context.request, watched.portal.url + "/sign-in"
    form: dict[str, str | float | bool] = {"email": email, "password": password, "csrf_token": token(watched, "/sign-in")}
    answer = request.post(address, form=form, max_redirects=0)
    assert answer.status == 303, answer.text()


def sign_in_by_form(watched: Watched, email: str, password: str = PASSWORD) -> None:
    page = watched.go("/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(watched.portal.url + "/")


def upload(watched: Watched, text: str, name: str = "staff.csv") -> str:
    """Upload, and open the review; its address. By no dialog: that is tried where the dialog is the subject."""
    file = {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
    form = {"csrf_token": token(watched, "/account"), "file": file}
    request = watched.page.context.request
    answer = request.post(watched.portal.url + "/batches", multipart=form, max_redirects=0)  # type: ignore[arg-type]
    assert answer.status == 303, answer.text()
    watched.go(answer.headers["location"])
    return urlsplit(watched.page.url).path


def token(watched: Watched, path: str) -> str:
    """What a form of this page carries against forged requests."""
    said = watched.page.context.request.get(watched.portal.url + path).text()
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', said)
    assert found, said
    return found[1]


def send(page: Page, name: str | re.Pattern[str], password: str = PASSWORD, *, twice: bool = False) -> None:
    """Press the send button of the review and answer its question; with the password where somebody becomes an administrator.

    name: the button's words. twice: a double click on the answer.
    """
    page.get_by_role("button", name=name).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("#confirm-send")).to_be_visible()
    asked = dialog.get_by_label("Your password")
    if asked.count():
        asked.fill(password)
    answer = dialog.get_by_role("button", name=name)
    answer.dblclick() if twice else answer.click()
