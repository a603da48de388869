"""Over https, behind a proxy that hides where forms come from: a usual hardening header, and nobody could sign in."""

from __future__ import annotations

import http.client
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OWNER, PASSWORD, Portal
from tests.run.conftest import Muster
from tests.smtp_sink import CERTIFICATE, Sink

PROXIED = ("X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-For")

SEEN: list[tuple[str, str | None, str | None]] = []
"""What changed something: path, Origin and Referer."""


class Proxy(BaseHTTPRequestHandler):
    """Passes everything on to Muster, and sends `Referrer-Policy: no-referrer` with every answer."""

    protocol_version = "HTTP/1.1"
    muster = 0

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        host = self.headers["Host"]
        headers = dict(self.headers.items()) | dict(zip(PROXIED, ("https", host, "192.0.2.9"), strict=True))
        inner = http.client.HTTPConnection("127.0.0.1", self.muster)
        inner.request(self.command, self.path, body, headers)
        answer = inner.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("referrer-policy", "content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        inner.close()
        if self.command != "GET":
            SEEN.append((self.path, self.headers.get("Origin"), self.headers.get("Referer")))

    do_GET = do_POST = do_PATCH = do_DELETE = pass_on

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def portal(tmp_path_factory):
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
    with Sink() as sink:
        muster = Muster(
            tmp_path_factory.mktemp("https") / "data",
            MUSTER_PUBLIC_URL=f"https://localhost:{proxy.server_port}",
            MUSTER_TRUSTED_PROXIES="1",
            MUSTER_OWNER_EMAIL=OWNER,
            MUSTER_OWNER_PASSWORD=PASSWORD,
            MUSTER_MAIL_URL=sink.url,
            MUSTER_MAIL_FROM="Northfield Academy <muster@northfield.example>",
        )
        Proxy.muster = muster.port
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            yield Portal(muster.migrated().started(), sink)
            assert muster.stop() == 0, muster.output()
        finally:
            muster.clean_up()
            proxy.shutdown()
            proxy.server_close()


def test_one_signs_in_edits_and_another_accepts(browser, portal):
    start = re.search(r"https://localhost:\d+", portal.muster.output())[0]
    page = browser.new_page(ignore_https_errors=True)
    page.goto(f"{start}/sign-in")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{start}/")

    page.goto(f"{start}/users?invite=bulk")
    file = "Email;Role\nines@northfield;Analyst\n"
    page.set_input_files("#upload-file", {"name": "staff.csv", "mimeType": "text/csv", "buffer": file.encode()})
    page.wait_for_url("**/batches/*")
    email = page.get_by_label("Email, row 2")
    email.fill("ines@northfield.example")
    email.press("Enter")
    send = page.get_by_role("button", name="Send 1 invitation")
    expect(send).to_be_enabled()
    send.click()
    page.get_by_role("dialog").get_by_role("button", name="Send 1 invitation").click()
    link = re.search(r"https://\S+/invitations/\S+", portal.mail_to("ines@northfield.example"))[0]

    guest = browser.new_page(ignore_https_errors=True)
    guest.goto(link)
    guest.get_by_label("Full name").fill("Ines Carvalho")
    guest.get_by_label("Password", exact=True).fill("plum kettle orbit 42")
    guest.get_by_role("button", name=re.compile("Join|Accept|Create")).click()
    guest.wait_for_url(f"{start}/")
    expect(guest.get_by_text("You are in.")).to_be_visible()

    assert {referer for _, _, referer in SEEN} == {None}, "the proxy hides it"
    assert "null" in {origin for _, origin, _ in SEEN}
