"""An installation to be played against: its real processes, what people do with it, and what a nemesis does to it."""

from __future__ import annotations

import http.client
import importlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil
from flask import Flask
from sqlalchemy import false, func, or_, select, update
from webapp import queue
from webapp.app import create_app
from webapp.core.security import tokens
from webapp.core.text.mail_phrases import describe_mail
from webapp.db import begin_write, db, utcnow
from webapp.models import Batch, BatchState, Invitation, MailCircuit, Message, MessageState, Outcome, Row
from webapp.settings.settings import Settings

from tests.factories import make_user
from tests.faults import checker
from tests.faults.checker import Findings, HandOver, Interruption, Mail, Promise
from tests.faults.mail_server import MailServer
from tests.faults.points import sitecustomize
from tests.run.conftest import TOP, Muster, wait_until
from tests.servers import PostgreSQL, Valkey, answers

OWNER, PASSWORD = "maren.okafor@northfield.example", "correct horse battery"
DOMAIN = "northfield.example"
AFTER = 120.0
"""Seconds after the end of a fault until which everything is at its end, or waits for a moment that the page names."""
OVER = (BatchState.FINISHED, BatchState.CANCELLED)


class Browser:
    """A person at the portal, over HTTP: follows no redirect, keeps cookies and the token of the last form."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._cookies: dict[str, str] = {}
        self.token = ""

    def sign_in(self, email: str = OWNER, password: str = PASSWORD) -> Browser:
        self.get("/sign-in")
        status, _, _ = self.post("/sign-in", email=email, password=password)
        assert status == 303, status
        self.get("/")
        return self

    @property
    def cookie(self) -> dict[str, str]:
        """The header by which this browser is known."""
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}

    def get(self, path: str) -> str:
        status, _, body = self.ask("GET", path)
        assert status == 200, f"{path}: {status}"
        found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', body)
        self.token = found[1] if found else self.token
        return body

    def post(self, path: str, **form: str) -> tuple[int, str, str]:
        return self.ask("POST", path, urlencode(form, doseq=True), {"Content-Type": "application/x-www-form-urlencoded"})

    def patch(self, path: str, **form: str) -> tuple[int, str, str]:
        fragment = {"HX-Request": "true", "HX-Request-Type": "partial"}
        return self.ask("PATCH", path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"} | fragment)

    def upload(self, emails: list[str], name: str) -> int:
        """A file with these people to its review. -> the batch's id."""
        lines = ["Email,Role,Groups", *(f"{email},Analyst,Library" for email in emails)]
        head = f'--part\r\nContent-Disposition: form-data; name="file"; filename="{name}.csv"\r\n\r\n'
        body = head + "\r\n".join(lines) + "\r\n--part--\r\n"
        status, where, said = self.ask("POST", "/batches", body, {"Content-Type": "multipart/form-data; boundary=part"})
        assert status == 303, f"{status}: {said[:2000]}"
        return int(where.rpartition("/")[2])

    def seen(self, batch_id: int) -> dict[str, str]:
        """What the question before sending carries: the version of the batch."""
        page = self.get(f"/batches/{batch_id}/confirmation")
        found = dict(re.findall(r'name="(version)"[^>]* value="([^"]+)"', page))
        assert set(found) == {"version"}
        return found

    def confirm(self, batch_id: int) -> int:
        """-> the status of the answer."""
        return self.post(f"/batches/{batch_id}/confirmation", **self.seen(batch_id))[0]

    def send_file(self, data: bytes, name: str) -> int:
        """Upload a file. -> the status of the answer."""
        head = f'--part\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        body = head.encode() + data + b"\r\n--part--\r\n"
        return self.ask("POST", "/batches", body, {"Content-Type": "multipart/form-data; boundary=part"})[0]

    def ask(self, method: str, path: str, body: str | bytes = "", headers: Any = ()) -> tuple[int, str, str]:
        """-> status, where it leads, what it says."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        sent = {**self.cookie, "X-CSRFToken": self.token, **dict(headers)}
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, sent)
            answer = connection.getresponse()
            for name, value in answer.getheaders():
                if name == "Set-Cookie":
                    key, _, rest = value.partition("=")
                    self._cookies[key] = rest.partition(";")[0]
            return answer.status, answer.getheader("Location") or "", answer.read().decode()
        finally:
            connection.close()


class Points:
    """Named points in the processes: armed, reached, left. See points/sitecustomize.py."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    @contextmanager
    def armed(self, point: str) -> Iterator[Callable[[], int]]:
        """`with points.armed("claim.after") as reached: …; pid = reached()`: the first process that comes there waits."""
        function, _, place = point.partition(".")
        assert place in sitecustomize.PLACES
        getattr(importlib.import_module(sitecustomize.FUNCTIONS[function]), function)  # raises where no process would stop
        armed, reached, go = (self.folder / f"{point}.{what}" for what in ("armed", "reached", "go"))
        for file in (reached, go):
            file.unlink(missing_ok=True)
        armed.touch()

        def wait() -> int:
            wait_until(reached.exists, f"a process comes to {point}", AFTER)
            return int(reached.read_text())

        try:
            yield wait
        finally:
            armed.unlink(missing_ok=True)
            go.touch()


class Portal:
    """One installation, driven from outside. Everything that is sent goes to `mail`, unless `mail_url` says otherwise."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.mail = MailServer(folder)
        self.points = Points(folder / "points")
        self.interruptions: list[Interruption] = []
        self.batches: list[int] = []
        self.gone: set[int] = set()
        self.postgresql: PostgreSQL | None = None
        self.valkey: Valkey | None = None
        environ = {
            "MUSTER_OWNER_EMAIL": OWNER,
            "MUSTER_OWNER_PASSWORD": PASSWORD,
            "MUSTER_GROUPS": "Library",
            "MUSTER_MAIL_URL": self.mail.url,
            "MUSTER_MAIL_FROM": "Northfield Academy <muster@northfield.example>",
            "MUSTER_MAIL_RATE": "100000",
            "MUSTER_MAX_ROWS": "2000",
            "MUSTER_WORKERS": "2",
            "MUSTER_TIME_ZONE": "UTC",
            "FAULTS_POINTS": str(self.points.folder),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(TOP / "tests/faults/points"), os.environ.get("PYTHONPATH")))),
            **settings,
        }
        self.muster = Muster(folder / "data", None, **{name: value for name, value in environ.items() if value})
        self._made = 0

    def start(self) -> Portal:
        """Everything runs, and the Owner is signed in."""
        self.mail.start()
        if not self.postgresql:
            self.muster.migrated()
        self.muster.started()
        given = {name: value for name, value in self.muster.environ.items() if name.startswith("MUSTER_")}
        self.settings = Settings.from_environment(given)
        self.app: Flask = create_app(self.settings)
        self.owner = Browser(self.muster.port).sign_in()
        return self

    def clean_up(self) -> None:
        """Whatever happened: nothing that was started here is left."""
        for pid in self.muster.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.muster.clean_up()
        self.mail.kill()
        if self.valkey:
            self.valkey.kill()
        if self.postgresql:
            self.postgresql.clean_up()

    # What people do

    def joined(self, name: str, role: str) -> Browser:
        """Somebody new, signed in."""
        with self.app.app_context():
            begin_write()
            email = make_user(name, role, email=f"{self.fresh('somebody')}@{DOMAIN}").email
        return Browser(self.muster.port).sign_in(email, PASSWORD)

    def fresh(self, word: str) -> str:
        """A name that nothing has had yet."""
        self._made += 1
        return f"{word}-{self._made}"

    def people(self, count: int = 8) -> list[str]:
        """So many addresses that nobody has had yet. What they have in common tells the checker which are which."""
        group = self.fresh("of")
        return [f"person{n}.{group}@{DOMAIN}" for n in range(count)]

    def invite(self, count: int = 8) -> int:
        """Upload and confirm so many people. -> the batch's id."""
        return self.confirm(self.uploaded(count))

    def uploaded(self, count: int = 8) -> int:
        """Upload so many people. -> the batch's id."""
        return self.owner.upload(self.people(count), self.fresh("faults"))

    def confirm(self, batch_id: int) -> int:
        """Confirm what was uploaded. -> the batch's id."""
        assert self.owner.confirm(batch_id) == 303
        self.batches.append(batch_id)
        return batch_id

    # What the nemesis does

    def workers(self) -> list[int]:
        """The workers: each runs jobs and keeps the time."""
        return self.muster.processes("worker.py")

    @contextmanager
    def interruption(self, senders: int = 1) -> Iterator[None]:
        """What happens within may catch so many senders in the midst of a message."""
        began = time.time()
        try:
            yield
        finally:
            self.interruptions.append(Interruption(began, time.time(), senders))

    def kill(self, *pids: int, number: int = signal.SIGKILL) -> None:
        """Send a signal to each, and for SIGKILL see them gone."""
        with self.interruption(len(pids)):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            self.gone |= set(pids)
            for pid in pids if number == signal.SIGKILL else ():
                wait_until(partial(is_gone, pid), f"process {pid} is gone")

    def hit_the_web(self, pid: int, number: int) -> None:
        """Send it a signal: frozen, it goes on after a while; else see it gone. It excuses no message that came twice."""
        os.kill(pid, number)
        if number == signal.SIGSTOP:
            time.sleep(3)
            os.kill(pid, signal.SIGCONT)
        else:
            wait_until(lambda: is_gone(pid), "the web server is gone")

    def thaw(self, pid: int) -> None:
        """Who was frozen goes on, and has time to do what is not its to do any more."""
        with self.interruption():
            os.kill(pid, signal.SIGCONT)
            time.sleep(1)

    def pass_time(self) -> None:
        """For tests that have no minutes: back-offs end now, in the database, and so do the leases of those whom `kill`
        has ended or frozen (the living renew theirs). Then the bell rings.

        It stands for nothing but time, which passes by itself in the tests that say so.
        """
        with self.app.app_context():
            begin_write()
            past = utcnow() - timedelta(seconds=1)
            alive = {"synchronize_session": False}
            theirs = or_(false(), *(Message.claimed_by.like(f"%-{pid}-%") for pid in self.gone))
            sending = update(Message).where(Message.state == MessageState.SENDING, theirs).values(lease_until=past)
            waiting = update(Message).where(Message.state == MessageState.QUEUED).values(due_at=past)
            circuit = update(MailCircuit).where(MailCircuit.retry_at.is_not(None)).values(retry_at=past)
            for statement in (sending, waiting, circuit):
                db.session.execute(statement, execution_options=alive)
            db.session.commit()
            self.ring()

    def ring(self) -> None:
        """What the next sweep does, without waiting for it."""
        with self.app.app_context():
            queue.enqueue_send()
            for batch_id in self.batches:
                if self.state(batch_id) in (BatchState.QUEUED, BatchState.PROCESSING):
                    queue.enqueue_batch(batch_id)

    def flush_queue(self) -> None:
        """Let the queue server forget everything."""
        with queue.connect(self.settings.queue_url, 5) as server:
            server.flushall()

    def restart_queue(self) -> None:
        """Killed, and started again empty by those who keep it."""
        if self.valkey:
            self.valkey.kill()
            self.valkey.start()
        else:
            for pid in self.queue_servers():
                os.kill(pid, signal.SIGKILL)
                wait_until(partial(is_gone, pid), "the queue server is gone")
        wait_until(lambda: answers(self.settings), "the queue server is back")

    def queue_servers(self) -> list[int]:
        return [self.valkey.pid] if self.valkey else self.muster.processes("valkey.sock")

    # What is seen

    def state(self, batch_id: int) -> BatchState:
        with self.app.app_context():
            found = db.session.scalars(select(Batch.state).where(Batch.id == batch_id)).one()
            db.session.rollback()
            return found

    def settle(self, *batch_ids: int, after: float = AFTER) -> float:
        """Wait until all is at its end, at most so many seconds longer than the last back-off that a page names. -> how long.

        What is still open then is for the checker to tell.
        """
        return self._wait_for_end(batch_ids, lambda: after + self._named_wait(batch_ids))

    def go_on(self, *batch_ids: int, seconds: float) -> None:
        """Wait until all is at its end, at most so many seconds: what waits for a back-off is left to `pass_time`."""
        self._wait_for_end(batch_ids, lambda: seconds)

    def _wait_for_end(self, batch_ids: tuple[int, ...], most: Callable[[], float]) -> float:
        began = time.monotonic()
        while not self._is_settled(batch_ids) and time.monotonic() - began < most():
            time.sleep(0.2)
        return time.monotonic() - began

    def waiting(self) -> int:
        """How many messages have not come to their end."""
        with self.app.app_context():
            is_open = Message.state.in_([MessageState.QUEUED, MessageState.SENDING])
            found = db.session.scalar(select(func.count()).select_from(Message).where(is_open)) or 0
            db.session.rollback()
            return found

    def mails(self, *batch_ids: int) -> list[Mail]:
        """The messages of these batches, as the page tells of them."""
        with self.app.app_context():
            found = [mail for mail, _ in self._mails(batch_ids)]
            db.session.rollback()
            return found

    def alarm(self) -> str:
        """Why sending is held up, "" while it is not."""
        with self.app.app_context():
            cause = db.session.scalar(select(MailCircuit.cause).where(MailCircuit.paused_at.is_not(None)))
            db.session.rollback()
            return describe_mail(cause or {})

    def _is_settled(self, batch_ids: tuple[int, ...]) -> bool:
        with self.app.app_context():
            is_open = Message.state.in_([MessageState.QUEUED, MessageState.SENDING])
            is_theirs = Message.row_id.in_(select(Row.id).where(Row.batch_id.in_(batch_ids)))
            at_work = select(Batch.id).where(Batch.id.in_(batch_ids), Batch.state.not_in(OVER))
            left = db.session.scalar(select(or_(select(Message.id).where(is_open, is_theirs).exists(), at_work.exists())))
            db.session.rollback()
            return not left

    def _named_wait(self, batch_ids: tuple[int, ...]) -> float:
        """Seconds from now until the last moment that a row of theirs names."""
        with self.app.app_context():
            mails = self._mails(batch_ids)
            until = max((due for _, due in mails if due), default=None)
            db.session.rollback()
            return max(0.0, (until - utcnow()).total_seconds()) if until else 0.0

    def judge(self, *batch_ids: int) -> Findings:
        """Compare the mail server's log, or the folder of .eml files, with what the database says of these batches."""
        with self.app.app_context():
            query = select(Row, Batch.state).join(Batch, Batch.id == Row.batch_id).where(Row.batch_id.in_(batch_ids))
            promises = [
                Promise(row.email, row.outcome.value if row.outcome else None, state not in OVER)
                for row, state in db.session.execute(query)
            ]
            db.session.rollback()
        mails = self.mails(*batch_ids)
        events = self.mail.events()
        domains = {promise.recipient.partition(".of-")[2] for promise in promises}
        theirs = [each for each in self.handed_over() if each.recipient.partition(".of-")[2] in domains]
        return checker.judge(promises, mails, theirs, self.interruptions, checker.refusals(events), tokens.hash_token)

    def handed_over(self) -> list[HandOver]:
        """From the mail server's log, and from the .eml files that were written."""
        return checker.handed_over(self.mail.events()) + checker.written(self.muster.data_dir / "outbox")

    def _mails(self, batch_ids: tuple[int, ...]) -> list[tuple[Mail, Any]]:
        """Each with the moment at which the page says that it goes on, if it does."""
        query = (
            select(Message, Row, Invitation)
            .join(Row, Row.id == Message.row_id)
            .join(Invitation, Invitation.id == Message.invitation_id)
            .where(Row.batch_id.in_(batch_ids))
        )
        found = []
        for message, row, invitation in db.session.execute(query):
            named = row.outcome is Outcome.WAITING and row.reason.get("code") == "due_again" and message.due_at > utcnow()
            is_doubtful = message.result.get("maybe_sent") or message.result.get("code") == "uncertain_twice"
            mail = Mail(
                message_id=message.message_id,
                recipient=message.recipient,
                state=message.state.value,
                answer=message.result_text,
                marked=message.state is MessageState.UNCERTAIN or (message.state is MessageState.FAILED and is_doubtful),
                may_go_on=message.state is MessageState.QUEUED and named,
                token_hash=invitation.token_hash,
                attempts=message.attempts,
            )
            found.append((mail, message.due_at if named else None))
        return found


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
