"""Webhooks as the Owner works with them, by keyboard, with a real receiver and real workers."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Watched, send, upload
from tests.webhook_receiver import Receiver


def test_a_webhook_is_added_tested_and_deleted_by_keyboard(owner: Watched) -> None:
    with Receiver() as receiver:
        page = owner.go("/settings/webhooks")
        owner.axe_at_both_widths("no webhooks")
        page.get_by_role("link", name="Add webhook").first.press("Enter")
        page.get_by_label("Address").fill("mdm.example.org")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Choose at least one.")).to_be_visible()
        expect(page.get_by_label("Address")).to_have_value("mdm.example.org")
        page.get_by_label("Somebody is invited").press("Space")
        page.get_by_label("Address").fill(receiver.url)
        owner.axe_at_both_widths("a new webhook")
        page.get_by_role("button", name="Add webhook").press("Enter")
        expect(page.locator("#secret")).to_have_text(re.compile("^whsec_"))
        owner.axe_at_both_widths("the secret")
        page.get_by_role("link", name="I have copied it").press("Enter")
        page.get_by_role("button", name="Send a test").press("Enter")
        expect(page.locator("#answers").get_by_text("webhook.test")).to_be_visible()
        expect(page.locator("#answers").get_by_text("200", exact=True).first).to_be_visible()
        owner.axe_at_both_widths("a webhook with an answer")
        upload(owner, "Email,Role,Groups\nines.carvalho@northfield.example,Analyst,Exam Laptops\n")
        receiver.answers.extend([500] * 9)
        receiver.words = "Try later"
        send(owner.page, "Send 1 invitation")
        expect(page.get_by_text("0 of 1 joined").first).to_be_visible(timeout=60_000)
        failing = page.get_by_text("Failing since")
        page = owner.go("/settings/webhooks")
        page.get_by_role("link", name=re.compile(r"127\.0\.0\.1")).press("Enter")
        for _ in range(30):  # events are sealed every 15 seconds
            if failing.count():
                break
            page.wait_for_timeout(1000)
            page.reload()
        expect(failing).to_be_visible()
        expect(page.locator("#answers").get_by_text("500: Try later").first).to_be_visible()
        owner.axe_at_both_widths("a failing webhook")
        page.get_by_role("link", name="Skip this event").press("Enter")
        expect(page.get_by_role("heading", name="Skip this event?")).to_be_visible()
        owner.axe_at_both_widths("the question before skipping")
        page.get_by_role("button", name="Skip this event").press("Enter")
        expect(failing).to_have_count(0)
        page.get_by_role("link", name="Delete webhook").press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="Delete webhook").press("Enter")
        expect(page.get_by_role("heading", name="No webhooks yet")).to_be_visible()
