"""Fills an empty database with an example school, by the commands that people and workers use.

`python -m demo.fill` prints how to sign in.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import func, select, update

from webapp import upgrade
from webapp.app import create_app
from webapp.core.addresses import parse
from webapp.core.security import passwords
from webapp.db import Base, UTCDateTime, begin_write, db
from webapp.jobs import batches as batch_jobs
from webapp.jobs import outbox
from webapp.models import AuditEvent, Batch, Invitation, LinkPurpose, User
from webapp.run import program
from webapp.services.accounts import password_reset, sessions
from webapp.services.audit import events
from webapp.services.batches import confirmation, reverts, upload
from webapp.services.directory import groups
from webapp.services.invitations import invitations
from webapp.services.links import account_links, invitation_links
from webapp.services.operations import change_settings, first_run
from webapp.services.settings import in_force

passwords._hasher = PasswordHasher(time_cost=1, memory_cost=1024)  # argon2 is slow on purpose

FILES = Path(__file__).parent / "school"
DOMAIN = "hillcrest.sch.uk"
GROUPS = (
    "Year 3 iPads",
    "Year 4 iPads",
    "Year 5 Chromebooks",
    "Student Devices",
    "Teacher Laptops",
    "Staff Laptops",
    "Exam Laptops",
    "Office PCs",
    "Library",
)

INTRANET = {"CONTINUE_URL": "https://www.example.org/", "CONTINUE_NAME": "Hillcrest Intranet"}


def fill() -> str:
    """Fill the database. Returns what to tell the person who looks at it."""
    upgrade.upgrade()
    token = first_run.prepare()[-1].rpartition("/")[2]
    password = secrets.token_urlsafe(9)
    address = parse(f"margaret.doyle@{DOMAIN}")
    zone = in_force.environment().text("TIME_ZONE")
    owner = first_run.finish(token, "Hillcrest School", "Margaret Doyle", address, password, zone)
    groups.add_groups(GROUPS, owner)
    change_settings.save(INTRANET, owner)

    send(stage("autumn-staff.csv", owner), owner)
    join(29, password)
    let_pass(hours=20 * 24)
    exams = send(stage("exam-week.csv", owner), owner)
    send(reverts.stage(exams.id, owner), owner)
    let_pass(hours=15 * 24)
    send(stage("support-staff.csv", owner), owner)
    join(14, password)
    let_pass(hours=4 * 24)
    stamp_events()
    send(stage("supply-teachers.csv", owner), owner)
    stage("sports-day.csv", owner)
    stage("club-leaders.csv", owner)
    return describe(owner, password)


def stage(name: str, by: User) -> Batch:
    """Upload a file of the school."""
    return upload.stage((FILES / name).read_bytes(), name, by)


def send(batch: Batch, by: User) -> Batch:
    """Confirm a batch, and do what the workers do then."""
    confirmation.confirm(batch.id, batch.version, by, proven=True)
    batch_jobs.process(batch.id)
    outbox.send()
    return batch


def join(count: int, password: str) -> None:
    """Let so many people who got their e-mail join, an hour apart."""
    has_link = invitations.IS_PENDING, Invitation.expires_at.is_not(None)
    first = select(Invitation).where(*has_link).order_by(Invitation.id).limit(count)
    for invitation in db.session.scalars(first).all():
        token = invitation_links.token(invitation)
        user = invitations.accept(token, invitation.name, password)
        sessions.start_session(user, "192.0.2.7", "")
        let_pass(hours=1)


def let_pass(hours: int) -> None:
    """Let everything that there is be so many hours older."""
    begin_write()
    with events.unlock():
        for table in Base.metadata.sorted_tables:
            times = [column for column in table.c if isinstance(column.type, UTCDateTime)]
            earlier = {
                column: func.strftime("%Y-%m-%d %H:%M:%f000", column, f"-{hours} hours")
                for column in times
            }
            if earlier:
                db.session.execute(update(table).values(earlier))
    db.session.commit()


def stamp_events() -> None:
    """Stamp the entries of the audit log again: their times have changed."""
    begin_write()
    with events.unlock():
        for event in db.session.scalars(select(AuditEvent)):
            events.stamp(event)
    db.session.commit()


def describe(owner: User, password: str) -> str:
    """Say how to sign in. The links work in the demo alone (`Settings.is_demo`)."""
    is_analyst = User.email == f"ada.jones@{DOMAIN}"
    analyst = db.session.scalars(select(User).where(is_analyst)).one()
    analysts = account_links.create_link(analyst, LinkPurpose.SIGN_IN)
    db.session.commit()
    owners = password_reset.make_owner_link(without_second_factor=False)
    return "\n".join(
        [
            f"Sign in as the Owner: {account_links.link_url(owners)}",
            f"Sign in as an Analyst: {account_links.link_url(analysts)}",
            f"Each link works once, for 30 minutes. Later: {owner.email}, {analyst.email}",
            f"Password of everybody: {password}",
            "Drop the files of examples/. Emails become files in inbox/ of the data folder.",
            "The next start of the demo begins with everything as it was.",
        ]
    )


if __name__ == "__main__":
    with create_app(program.begin("demo")).app_context():
        print(fill())
