"""The review in Chromium: the processor time of the page's main thread at load, and for one edit of a cell.

The debugger's `Performance.getMetrics` counts the ticks of the renderer's own thread, without its waiting.
"""

from __future__ import annotations

import logging
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import CDPSession, Page, ViewportSize, sync_playwright
from werkzeug.serving import make_server

from bench.portal import PASSWORD, Portal, people, portal
from bench.timing import Figure
from tests import chromium

ROWS = 100
ROUNDS = 15
METRICS = ("TaskDuration", "RecalcStyleDuration", "LayoutDuration", "ScriptDuration")
LOOK: ViewportSize = {"width": 1440, "height": 900}
PAINTED = """(done) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => done();
  channel.port2.postMessage(0);
})"""
"""Calls `done` once the browser has painted."""
LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((task) => task.duration)))
  .observe({ type: "longtask", buffered: true });
"""
"""Notes how long each task of 50 ms or more took."""
THROTTLED = 4
"""How many times slower the processor is made for the blocking time, as a weak laptop is."""
ANSWERED = f"""(done) => document.addEventListener("htmx:finally:request", () => ({PAINTED})(done), {{ once: true }})"""


def figures() -> list[Figure]:
    """The load of a review of 100 rows, half of them with problems, and an edit of one of its cells."""
    path = chromium.find()
    if not path:
        print(
            "There is no Chromium, so the browser is not measured. `make test` installs one; CHROMIUM_PATH names your own."
        )
        return []
    with portal() as muster, _served(muster) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport=LOOK)
        _sign_in(page, address)
        review = f"{address}/batches/{muster.upload(people(ROWS, wrong_role_every=2))}"
        debugger = page.context.new_cdp_session(page)
        debugger.send("Performance.enable", {"timeDomain": "threadTicks"})
        # the first fills the cache
        loads = [_load(page, debugger, address, review) for _ in range(ROUNDS + 1)][1:]
        edits = _edits(page, debugger)[2:]
        blocked = _blocked(page, debugger, address, review)
        browser.close()
    load, edit = _medians(loads), _medians(edits)
    return [
        Figure("load of the review of 100 rows, main thread", load["TaskDuration"], "ms", 250, 1.0),
        Figure(f"total blocking time of it, {THROTTLED} times slower", blocked, "ms", 300, 1.0),
        Figure("of it style", load["RecalcStyleDuration"], "ms"),
        Figure("of it layout", load["LayoutDuration"], "ms"),
        Figure("of it script", load["ScriptDuration"], "ms"),
        Figure(
            "an edit of a cell until it is painted, main thread",
            edit["TaskDuration"],
            "ms",
            60,
            1.0,
        ),
        Figure("of it style", edit["RecalcStyleDuration"], "ms", 10, 1.0),
        Figure("of it layout", edit["LayoutDuration"], "ms"),
        Figure("of it script", edit["ScriptDuration"], "ms"),
    ]


@contextmanager
def _served(muster: Portal) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, muster.app, threaded=True)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def _sign_in(page: Page, address: str) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("Email").fill("owner@northfield.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{address}/")


def _metrics(debugger: CDPSession) -> dict[str, float]:
    found = debugger.send("Performance.getMetrics")["metrics"]
    return {metric["name"]: metric["value"] * 1000 for metric in found if metric["name"] in METRICS}


def _spent(debugger: CDPSession, work: Callable[[], object]) -> dict[str, float]:
    before = _metrics(debugger)
    work()
    after = _metrics(debugger)
    return {name: after[name] - before[name] for name in METRICS}


def _load(page: Page, debugger: CDPSession, address: str, review: str) -> dict[str, float]:
    """From a page that is almost empty to the painted review."""
    page.goto(f"{address}/healthz/live")

    def load() -> None:
        page.goto(review)
        page.evaluate(f"new Promise({PAINTED})")

    return _spent(debugger, load)


def _blocked(page: Page, debugger: CDPSession, address: str, review: str) -> float:
    """The total blocking time of a load in ms, the median of some: of each long task what is beyond 50 ms."""
    page.add_init_script(LONG_TASKS)
    debugger.send("Emulation.setCPUThrottlingRate", {"rate": THROTTLED})
    found = []
    for _ in range(5):
        page.goto(f"{address}/healthz/live")
        page.goto(review, wait_until="networkidle")
        found.append(sum(task - 50 for task in page.evaluate("window.longTasks")))
    debugger.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    return statistics.median(found)


def _edits(page: Page, debugger: CDPSession) -> list[dict[str, float]]:
    """A problem comes and goes in one cell: each time from Enter until the answer is painted."""
    cell = page.get_by_label("Email, row 40")
    found = []
    for n in range(2 * ROUNDS):
        cell.fill(f"edited{n}@northfield.example" if n % 2 else "no address")
        page.evaluate(f"() => {{ window.answered = new Promise({ANSWERED}); }}")

        def edit() -> None:
            page.keyboard.press("Enter")
            page.evaluate("window.answered")

        found.append(_spent(debugger, edit))
    return found


def _medians(found: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in found) for name in METRICS}
