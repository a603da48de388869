"""`make screens`: the pictures of every page and state, from a running Muster, into docs/screens/."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium
from tests.browser.conftest import GROUPS, OWNER, PASSWORD, send
from tests.run.conftest import Muster
from tests.smtp_sink import Sink

FOLDER = Path(__file__).parents[1] / "docs" / "screens"
FILE = """Email;Role;Groups
amelia.hart@northfield.example;Analyst;Student Devices, Science Lab iPads
ines.carvalho@northfield.example;Analyst;Student Devices, Library Chromebooks
jonas.weber@northfield;Broadcaster;Teacher Laptops
priya.venkataraman@northfield.example;Investigator;Student Devices, Exam Laptops
h.lindqvist@northfield.example;Analsyt;Science Lab iPads
bjorn.hakansson@northfield.example;Remote;Teacher Laptops, Admin Office
owen.pritchard@northfield.example;Remote;Techer Laptops, Admin Office
ines.carvalho@northfield.example;Analyst;Student Devices, Library Chromebooks
siobhan.oconnor@northfield.example;Broadcaster;
t.oyelaran@northfeild.example;Remote;Library Chromebooks
mateusz.kowalczyk@northfield.example;Admin;All groups
"""
PEOPLE = """Email,Role,Groups
amelia.hart@northfield.example,Analyst,"Student Devices, Exam Laptops"
bjorn.hakansson@northfield.example,Broadcaster,Teacher Laptops
devika.raman@northfield.example,Admin,"Student Devices, Teacher Laptops, Exam Laptops, Admin Office"
"""
NAMES = ("Amelia Hart", "Björn Håkansson", "Devika Raman")


def main() -> None:
    """Start Muster, walk through it, take every picture."""
    path = chromium.find()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, Sink() as sink, running(Path(folder), sink) as muster, sync_playwright() as p:
        sink.answer("t.oyelaran@northfeild.example", "550 5.1.1 No such user here")
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-quic"])
        walk(Walk(browser, f"http://127.0.0.1:{muster.port}"), muster, sink)
        browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.name}")


@contextmanager
def running(folder: Path, sink: Sink) -> Iterator[Muster]:
    """A fresh installation that waits to be set up."""
    environ = {"MUSTER_GROUPS": GROUPS, "MUSTER_MAIL_URL": sink.url, "MUSTER_TIME_ZONE": "UTC"}
    muster = Muster(folder / "data", None, **environ)
    try:
        yield muster.started()
        muster.stop()
    finally:
        muster.clean_up()


class Walk:
    """A browser window of which pictures are taken."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser, self.url = browser, url
        self.page = self.window()

    def window(self) -> Page:
        page = self.browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce").new_page()
        page.set_default_timeout(20_000)
        return page

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def take(self, name: str, *, dark: bool = False, phone: bool = False, page: Page | None = None) -> None:
        """One picture; dark and phone: these, too."""
        page = page or self.page
        path = FOLDER / f"{name}.png"
        page.screenshot(path=path, caret="initial")
        smaller(path)
        if dark:
            page.emulate_media(color_scheme="dark")
            self.take(f"{name}-dark", page=page)
            page.emulate_media(color_scheme="light")
        if phone:
            page.set_viewport_size({"width": 390, "height": 844})
            self.take(f"{name}-phone", page=page)
            page.set_viewport_size({"width": 1440, "height": 900})

    def upload(self, text: str, name: str) -> Page:
        page = self.go("/users?invite=bulk")
        page.set_input_files("#upload-file", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})
        page.wait_for_url("**/batches/*")
        return page


def walk(at: Walk, muster: Muster, sink: Sink) -> None:
    """From the first start to the report."""
    page = at.go("/sign-in")
    at.take("waiting-for-set-up")
    link = re.search(r"/setup/\S+", muster.output())
    assert link
    at.go(link.group())
    at.take("set-up")
    page.get_by_label("Organisation").fill("Northfield Academy")
    page.get_by_label("Full name").fill("Maren Okafor")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    page.wait_for_url(at.url + "/")
    at.take("home")
    at.go("/users")
    at.take("role-management-empty")

    at.upload(PEOPLE, "first-people.csv")
    send(page, "Send 3 invitations")
    page.get_by_text("0 of 3 joined").first.wait_for(timeout=60_000)
    at.take("report-all-done")
    for name, message in zip(NAMES, sorted(sink.messages, key=lambda m: m.recipients), strict=True):
        join(at, name, message.text)

    at.go("/users")
    at.take("role-management-start")
    at.go("/users?invite=bulk")
    at.take("invite-bulk", dark=True, phone=True)
    at.go("/users?invite=single")
    at.take("invite-single")
    at.go("/users?invite=bulk")
    page.set_input_files("#upload-file", {"name": "people.csv", "mimeType": "text/csv", "buffer": b"Email,Role\n"})
    page.get_by_role("alert").wait_for()
    at.take("invite-refused")
    at.upload("Person,Job,Team\nana@northfield.example,Analyst,Student Devices\nben@northfield.example,Remote,\n", "export.csv")
    at.take("match-columns", phone=True)

    at.upload(FILE, "autumn-term-staff.csv")
    at.take("review", dark=True, phone=True)
    review = page.url.removeprefix(at.url)
    page.get_by_label("Groups, row 2").click()
    at.take("review-groups")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Need attention").click()
    at.take("review-attention")
    at.go(review)
    page.get_by_role("link", name="Discard upload").click()
    page.get_by_role("dialog", name="Discard this upload?").wait_for()
    at.take("review-discard")
    page.get_by_role("link", name="Keep editing").click()
    page.get_by_role("button", name="Remove row 10").click()
    page.get_by_text("Row 10 removed").wait_for()
    at.take("review-removed")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    page.get_by_text("Undone: removed row 10").wait_for()
    for name in ("Replace “Analsyt” by “Analyst”, row 6", "Use @northfield.example, row 4"):
        page.get_by_role("button", name=name).click()
        page.locator("#edit-status", has_text=f"Row {name[-1]}").wait_for(state="attached")
    page.get_by_label("Skip them").check()
    page.get_by_text("1 row skipped").wait_for()
    at.take("review-ready")
    page.get_by_role("button", name="More").click()
    at.take("review-more")
    page.get_by_role("button", name=re.compile("^Invitation")).click()
    page.frame_locator("#letter-html").get_by_role("heading").wait_for()
    at.take("review-invitation")
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Send")).click()
    page.locator("#confirm-send").wait_for()
    at.take("review-send", dark=True, phone=True)
    page.keyboard.press("Escape")
    send(page, re.compile("^Send"))
    page.get_by_role("heading", name="Sending").wait_for()
    at.take("sending")
    page.get_by_role("heading", name=re.compile("failed")).wait_for(timeout=60_000)
    at.take("report", dark=True, phone=True)

    for path, name in (
        ("/batches", "uploads"),
        ("/groups", "device-groups"),
        ("/settings", "settings"),
        ("/roles", "roles"),
        ("/ownership", "ownership"),
        ("/messages", "outgoing-mail"),
        ("/audit", "audit-log"),
        ("/account", "account"),
        ("/", "home-at-work"),
    ):
        at.go(path)
        at.take(name, dark=path in ("/batches", "/audit", "/"), phone=path in ("/messages", "/audit", "/roles", "/"))
    at.go("/messages")
    page.locator('#main a[href*="/messages/"]').first.click()
    page.wait_for_url("**/messages/*")
    at.take("message")
    at.go("/users")
    at.take("role-management", dark=True, phone=True)
    page.get_by_role("link", name="Amelia Hart").click()
    page.wait_for_url("**/users/*")
    at.take("person", phone=True)
    at.go("/users?q=oyelaran")
    page.get_by_role("button", name="Actions for t.oyelaran").click()
    page.get_by_role("link", name="Revoke invitation").click()
    page.get_by_role("heading", name="Revoke the invitation").wait_for()
    at.take("revoke-invitation", phone=True)
    at.go("/users?q=nobody")
    at.take("role-management-no-match")
    page.keyboard.press("?")
    page.get_by_text("This list").wait_for()
    at.take("shortcuts")
    at.go("/nowhere")
    at.take("not-found")

    outside = at.window()
    outside.goto(at.url + "/sign-in")
    at.take("sign-in", dark=True, phone=True, page=outside)
    outside.get_by_label("Email").fill(OWNER)
    outside.get_by_label("Password", exact=True).fill("not the password")
    outside.get_by_role("button", name="Sign in").click()
    at.take("sign-in-refused", page=outside)


def join(at: Walk, name: str, text: str) -> None:
    """Accept an invitation in a window of its own; the first one is pictured."""
    link = re.search(r"http\S+/invitations/\S+", text)
    assert link
    page = at.window()
    page.goto(link.group())
    if name == NAMES[0]:
        at.take("accept-invitation", phone=True, page=page)
    page.get_by_label("Full name").fill(name)
    page.get_by_label("Password", exact=True).fill("a long walk at dusk")
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(at.url + "/")
    if name == NAMES[0]:
        at.take("home-of-an-analyst", page=page)
        page.goto(link.group())
        at.take("link-used", page=page)
    page.context.close()


def smaller(path: Path) -> None:
    """A picture of 256 colours takes a third of the room."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
