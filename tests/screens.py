"""`make screens`: the pictures of every page and state, into docs/screens/, of a first start and of the school of `make demo`."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests import chromium
from tests.run.conftest import TOP, Muster, wait_until

FOLDER = TOP / "docs" / "screens"
EXAMPLES = TOP / "examples"
PASSWORD = "correct horse battery"


def main() -> None:
    """Start Muster twice, walk through it, take every picture."""
    path = chromium.find()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-quic"])
        with running(Path(folder) / "data") as muster:
            walk_first_start(Walk(browser, muster))
        school = Path(folder) / "school"
        with running(school, "demo", str(school)) as muster:
            walk_school(Walk(browser, muster))
        browser.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER.name}")


@contextmanager
def running(folder: Path, *what: str) -> Iterator[Muster]:
    """A Muster on this folder, or what else is to be started there, until the block ends."""
    muster = Muster(folder, None, MUSTER_TIME_ZONE="UTC")
    try:
        muster.started(*what)
        wait_until(lambda: muster.health().get("workers"), "a worker is seen")
        yield muster
        muster.stop()
    finally:
        muster.clean_up()


class Walk:
    """A browser window of which pictures are taken."""

    def __init__(self, browser: Browser, muster: Muster) -> None:
        self.browser, self.muster = browser, muster
        self.url = f"http://127.0.0.1:{muster.port}"
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

    def upload(self, name: str) -> Page:
        """Drop a file of examples/."""
        page = self.go("/users?invite=bulk")
        page.set_input_files("#upload-file", EXAMPLES / name)
        page.wait_for_url("**/batches/*")
        return page

    def open(self, name: str) -> Page:
        """Open an upload by the name of its file."""
        page = self.go("/batches")
        page.get_by_role("link", name=name, exact=True).click()
        page.wait_for_url("**/batches/*")
        return page

    def follow(self, pattern: str, page: Page | None = None) -> Page:
        """Open a link that the start printed, and sign in where it is one for that."""
        link = re.search(pattern, self.muster.output())
        assert link, self.muster.output()
        page = page or self.page
        page.goto(link[1])
        if "Sign in" in pattern:
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url(self.url + "/")
        return page


def walk_first_start(at: Walk) -> None:
    """From the set-up link to an empty installation."""
    page = at.go("/sign-in")
    at.take("waiting-for-set-up")
    at.follow(r"Set up Muster: (\S+)")
    at.take("set-up")
    page.get_by_label("Organisation").fill("Northfield Academy")
    page.get_by_label("Full name").fill("Maren Okafor")
    page.get_by_label("Email").fill("maren.okafor@northfield.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    page.wait_for_url(at.url + "/")
    at.take("first-steps", dark=True, phone=True)
    at.go("/users")
    at.take("role-management-empty")


def walk_school(at: Walk) -> None:
    """Everything else, in a school that works with Muster."""
    at.follow(r"Sign in as the Owner: (\S+)")
    at.take("home", dark=True, phone=True)
    take_uploads(at)
    take_review(at)
    take_letter_and_joining(at)
    take_pages(at)
    take_from_outside(at)


def take_uploads(at: Walk) -> None:
    """The uploads that are there, each in another state."""
    at.go("/batches")
    at.take("uploads", dark=True, phone=True)
    for file, name in (
        ("club-leaders.csv", "match-columns"),
        ("supply-teachers.csv", "sending"),
        ("support-staff.csv", "report"),
        ("exam-week.csv", "reverted"),
    ):
        at.open(file)
        at.take(name, dark=name == "report", phone=name != "reverted")


def take_review(at: Walk) -> None:
    """A messy file, from the drop to the question before sending; and the list of last term again."""
    page = at.go("/users?invite=bulk")
    at.take("invite-bulk", phone=True)
    at.go("/users?invite=single")
    at.take("invite-single")
    at.go("/users?invite=bulk")
    page.set_input_files("#upload-file", {"name": "people.csv", "mimeType": "text/csv", "buffer": b"Email,Role\n"})
    page.get_by_role("alert").wait_for()
    at.take("invite-refused")
    at.upload("support-staff-update.csv")
    at.take("review-update", phone=True)
    page.get_by_role("link", name="missing here").click()
    page.get_by_role("heading", name="Who is missing").wait_for()
    at.take("who-is-missing", phone=True)

    at.upload("staff.csv")
    at.take("review", dark=True, phone=True)
    review = page.url
    page.get_by_label("Groups, row 2", exact=True).click()
    at.take("review-groups")
    page.goto(review)
    page.get_by_role("button", name="More").click()
    at.take("review-more")
    page.get_by_role("button", name=re.compile("^Invitation")).click()
    page.frame_locator("#letter-html").get_by_role("heading").wait_for()
    at.take("review-invitation")
    page.goto(review)
    page.get_by_role("button", name=re.compile("^Tidy up")).or_(page.get_by_role("link", name=re.compile("^Tidy up"))).click()
    page.get_by_role("dialog", name="Tidy up").wait_for()
    page.get_by_label("What Teacher means").select_option("Remote")
    at.take("tidy-up", dark=True, phone=True)
    page.get_by_role("button", name=re.compile("^Apply")).click()
    page.get_by_role("dialog", name="Tidy up").wait_for(state="hidden")
    at.take("review-tidied")
    page.goto(review)
    page.get_by_label("Skip them").check()
    page.get_by_role("button", name=re.compile("^Send")).click()
    page.locator("#confirm-send").wait_for()
    at.take("review-send", phone=True)


def take_letter_and_joining(at: Walk) -> None:
    """Sending that file, and what one of its people sees."""
    page, dialog = at.page, at.page.get_by_role("dialog")
    password = re.search(r"Password of everybody: (\S+)", at.muster.output())
    assert password
    page.locator("#confirm-password").fill(password[1])
    dialog.get_by_role("button", name=re.compile("^(Send|Invite)")).click()
    page.get_by_role("heading", name="staff.csv", exact=True).wait_for(timeout=60_000)
    at.take("report-new")
    inbox = at.muster.data_dir / "inbox"
    (mail,) = wait_until(lambda: list(inbox.glob("*tom.briggs*")), "the e-mail arrives")
    link = re.search(r"http\S+/invitations/[\w-]+", mail.read_text().replace("=\n", ""))
    assert link
    page = at.window()
    page.goto(link[0])
    at.take("accept-invitation", phone=True, page=page)
    page.get_by_label("Password", exact=True).fill("a long walk at dusk")
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(at.url + "/")
    at.take("welcome", dark=True, phone=True, page=page)
    page.goto(link[0])
    at.take("link-used", page=page)
    page.context.close()


def take_pages(at: Walk) -> None:
    """The other pages of those who are signed in."""
    page = at.page
    dark, phone = ("/audit", "/users"), ("/messages", "/audit", "/roles", "/users", "/settings")
    for path, name in (
        ("/users", "role-management"),
        ("/groups", "device-groups"),
        ("/settings", "settings"),
        ("/roles", "roles"),
        ("/ownership", "ownership"),
        ("/messages", "outgoing-mail"),
        ("/audit", "audit-log"),
        ("/account", "account"),
        ("/nowhere", "not-found"),
        ("/users?q=nobody", "role-management-no-match"),
    ):
        at.go(path)
        at.take(name, dark=path in dark, phone=path in phone)
    page.keyboard.press("?")
    page.get_by_text("This list").wait_for()
    at.take("shortcuts")
    at.go("/messages")
    page.locator('#main a[href*="/messages/"]').first.click()
    page.wait_for_url("**/messages/*")
    at.take("message")
    at.go("/users?q=noel.walsh")
    page.get_by_role("link", name="Noel Walsh").click()
    page.wait_for_url("**/users/*")
    at.take("person", phone=True)
    at.go("/users?q=sara.lind")
    page.get_by_role("button", name=re.compile("^Actions for")).click()
    page.get_by_role("link", name="Revoke invitation").click()
    page.get_by_role("heading", name="Revoke the invitation").wait_for()
    at.take("revoke-invitation", phone=True)


def take_from_outside(at: Walk) -> None:
    """What an Analyst sees, and who is not signed in."""
    page = at.window()
    at.follow(r"Sign in as an Analyst: (\S+)", page)
    at.take("welcome-analyst", phone=True, page=page)
    page = at.window()
    page.goto(at.url + "/sign-in")
    at.take("sign-in", dark=True, phone=True, page=page)
    page.get_by_label("Email").fill("margaret.doyle@hillcrest.sch.uk")
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    at.take("sign-in-refused", page=page)


def smaller(path: Path) -> None:
    """Keep 112 colours, which takes a quarter of the room: the commonest ones as they are, and the most different ones."""
    with Image.open(path) as image:
        picture = image.convert("RGB")
    commonest = Counter(zip(*[iter(picture.tobytes())] * 3, strict=True)).most_common(64)
    different = picture.quantize(48, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    colours = [value for colour, _ in commonest for value in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours + (different.getpalette() or [])[: 48 * 3])
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
