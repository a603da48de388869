"""The list as a file: downloaded, edited, uploaded again."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from webapp.core.addresses import InvalidAddressError, parse
from webapp.core.plan.planner import Plan
from webapp.db import db, utcnow
from webapp.models import Batch, Invitation, InvitationState, Message, MessageKind, MessageState, Priority, User, UserState
from webapp.services.mail import outbox

from tests.factories import make_group, make_invitation, make_persona, make_user
from tests.properties import fewer
from tests.steps import rows_of, stage

EXAM, LIBRARY = "Exam Laptops", "Library Chromebooks"
EVERYTHING = ("All groups",)


def exported(client, query: str = "") -> list[list[str]]:
    """The lines of the file, without its header."""
    answer = client.get(f"/users/export.csv{query}")
    header, *lines = csv.reader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""))
    assert header == ["Email", "Name", "Role", "Groups"]
    return lines


def uploaded_again(client, query: str = "") -> Batch:
    """The review of the very file that was downloaded."""
    return stage(client, client.get(f"/users/export.csv{query}").data)


def plans(batch: Batch) -> dict[str, Plan]:
    return {row.email: row.plan for row in rows_of(batch)}


@pytest.fixture
def people(owner):
    make_user("Amelia Hart", "Analyst", (LIBRARY, EXAM))
    make_user("Björn Håkansson", "Broadcaster", EVERYTHING)
    make_user("Hannah Whitcombe", "Remote", state=UserState.DEACTIVATED)
    make_invitation("b.adeyemi@northfield.example", "Investigator", (EXAM,), name="Bola Adeyemi")
    make_invitation("cover.teacher07@northfield.example", "Remote", expires_in=timedelta(days=-1))
    make_invitation("gone@northfield.example", state=InvitationState.REVOKED)
    return owner


def failed_for(invitation: Invitation) -> None:
    """Its e-mail was refused for good."""
    message = outbox.add_message(MessageKind.INVITATION, invitation.email, invitation_id=invitation.id, priority=Priority.BATCH)
    message.state = MessageState.FAILED
    db.session.commit()


def test_it_has_the_columns_of_an_upload_and_the_order_of_the_list(people):
    assert exported(people) == [
        ["amelia.hart@northfield.example", "Amelia Hart", "Analyst", "Exam Laptops, Library Chromebooks"],
        ["bjorn.hakansson@northfield.example", "Björn Håkansson", "Broadcaster", "All groups"],
        ["b.adeyemi@northfield.example", "Bola Adeyemi", "Investigator", "Exam Laptops"],
        ["maren.okafor@northfield.example", "Maren Okafor", "Owner", "All groups"],
    ]
    assert [role for _, _, role, _ in exported(people, "?sort=role")] == ["Owner", "Investigator", "Analyst", "Broadcaster"]


def test_its_name_tells_the_day(people):
    disposition = people.get("/users/export.csv").headers["Content-Disposition"]
    assert disposition == f"attachment; filename=people-{utcnow():%Y-%m-%d}.csv"


def test_the_link_carries_the_filter_also_after_a_search(people):
    page = people.get("/users?q=north&sort=-role&page=2").page
    assert page.all("a", id="export")[0]["href"] == "/users/export.csv?q=north&sort=-role"
    part = people.get("/users?q=amelia", htmx=True).page
    assert part.all("a", id="export")[0]["href"] == "/users/export.csv?q=amelia"


def test_whom_an_upload_could_not_leave_alone_is_left_out_unless_a_status_is_asked_for(people):
    failed_for(make_invitation("owen@northfield.example"))
    page = people.get("/users").page
    told = "Export CSV leaves out 1 deactivated and 1 expired. Choose a status to export them, too."
    assert told in page.text
    assert len(exported(people)) == 5
    assert [email for email, *_ in exported(people, "?status=deactivated")] == ["hannah.whitcombe@northfield.example"]
    unjoined = ["b.adeyemi@northfield.example", "cover.teacher07@northfield.example", "owen@northfield.example"]
    assert [email for email, *_ in exported(people, "?status=unjoined")] == unjoined
    assert "leaves out" not in people.get("/users?status=unjoined").page.text


def test_whose_email_failed_is_in_the_file_and_gets_it_again(people):
    failed_for(make_invitation("owen@northfield.example"))
    assert plans(uploaded_again(people))["owen@northfield.example"] is Plan.INVITE


def test_uploaded_again_nothing_changes_and_an_edit_is_the_only_change(people):
    assert set(plans(uploaded_again(people)).values()) == {Plan.UNCHANGED}
    data = people.get("/users/export.csv").data.decode("utf-8-sig")
    batch = stage(people, data.replace('"Broadcaster","All groups"', '"Broadcaster","Exam Laptops"'))
    assert {email for email, plan in plans(batch).items() if plan is not Plan.UNCHANGED} == {"bjorn.hakansson@northfield.example"}


def test_an_admin_may_upload_those_ranked_above_too(people, sign_in):
    make_user("Devika Two", "Admin", (EXAM,))
    batch = uploaded_again(sign_in("Admin"))
    assert set(plans(batch).values()) == {Plan.UNCHANGED}
    assert "maren.okafor@northfield.example" in plans(batch)


def test_those_left_out_would_have_needed_somebody(people):
    assert list(plans(uploaded_again(people, "?status=deactivated")).values()) == [Plan.ATTENTION]
    assert list(plans(uploaded_again(people, "?status=expired")).values()) == [Plan.INVITE]


def test_nobody_found_is_a_header_alone(people):
    assert exported(people, "?q=nobody") == []


def test_who_may_not_see_people_gets_no_file(people, sign_in):
    sign_in("Broadcaster").get("/users/export.csv", status=403)


def test_a_fixed_number_of_queries(owner, queries):
    make_user("Amelia Hart", groups=(EXAM,))
    make_invitation(groups=(EXAM,))
    queries.clear()
    owner.get("/users/export.csv")
    few = len(queries)
    for n in range(30):
        make_user(f"Person {n:02}", groups=(EXAM, LIBRARY))
        make_invitation(f"z{n:02}@northfield.example", groups=(EXAM,))
    queries.clear()
    assert len(exported(owner)) == 63
    assert len(queries) == few, queries


LOCALS = st.text(st.sampled_from("abcXYZ09!#$%&'*+/=?^_`{|}~-.öłßاж"), min_size=1, max_size=12)
DOMAINS = st.sampled_from(["northfield.example", "exämple.com", "xn--exmple-cua.org", "sub.long-domain.museum", "例え.jp"])
GROUPS = ("Exam Laptops", "Library; upstairs", 'The "new" ones', "O’Hara & söner", "'=odd", "Semi|pipe\tless".replace("\t", " "))
ROLES = st.sampled_from(["Admin", "Investigator", "Analyst", "Broadcaster", "Remote"])
ACCESS = st.one_of(st.just(EVERYTHING), st.lists(st.sampled_from(GROUPS), unique=True, max_size=4).map(tuple))
KINDS = st.sampled_from(["user", "deactivated", "pending", "never handed over", "expired", "revoked", "failed"])


def judged(text: str) -> str | None:
    try:
        return parse(text).key
    except InvalidAddressError:
        return None


EMAILS = st.builds("{}@{}".format, LOCALS, DOMAINS).filter(judged)
PERSON = st.tuples(EMAILS, ROLES, ACCESS, KINDS)


@pytest.mark.slow
@fewer()
@given(directory=st.lists(PERSON, min_size=1, max_size=7, unique_by=lambda person: judged(person[0])))
@example(directory=[("=1@northfield.example", "Remote", (), "user"), ("+ana@exämple.com", "Analyst", EVERYTHING, "pending")])
@example(directory=[("-a'@northfield.example", "Remote", ("'=odd",), "pending"), ("=ß@例え.jp", "Admin", (), "user")])
def test_the_file_of_any_directory_uploaded_again_changes_nobody(sign_in, directory):
    owner = sign_in("Owner")
    try:
        for email, role, groups, kind in directory:
            if kind in ("user", "deactivated"):
                state = UserState.DEACTIVATED if kind == "deactivated" else UserState.ACTIVE
                make_user("Somebody", role, groups, email=email, state=state)
            else:
                days = {"never handed over": None, "expired": timedelta(days=-1)}.get(kind, timedelta(days=7))
                is_gone = {"state": InvitationState.REVOKED} if kind == "revoked" else {}
                invitation = make_invitation(email, role, groups, expires_in=days, **is_gone)
                if kind == "failed":
                    failed_for(invitation)
        failed = {email for email, _, _, kind in directory if kind == "failed"}
        kept = failed | {email for email, _, _, kind in directory if kind in ("user", "pending", "never handed over")}
        for browser in (owner, sign_in("Admin")):
            batch = uploaded_again(browser)
            assert {row.email for row in rows_of(batch)} - {u.email for u in personas()} == kept
            assert {(row.email, row.plan) for row in rows_of(batch) if row.plan is not Plan.UNCHANGED} == {
                (email, Plan.INVITE) for email in failed
            }
    finally:
        forget(directory)


def personas() -> list[User]:
    return [make_persona("Owner"), make_persona("Admin")]


def forget(directory) -> None:
    """Those of one example, so that the next begins without them."""
    db.session.rollback()
    keys = [judged(email) for email, *_ in directory]
    gone = db.session.scalars(db.select(Invitation).where(Invitation.email_key.in_(keys))).all()
    db.session.execute(db.delete(Message).where(Message.invitation_id.in_([each.id for each in gone])))
    for person in (*gone, *db.session.scalars(db.select(User).where(User.email_key.in_(keys)))):
        db.session.delete(person)
    for batch in db.session.scalars(db.select(Batch)):
        db.session.delete(batch)
    db.session.commit()


def test_a_group_of_every_name_there_may_be_comes_back(owner):
    for name in GROUPS:
        make_group(name)
    make_user("Amelia Hart", groups=GROUPS)
    assert set(plans(uploaded_again(owner)).values()) == {Plan.UNCHANGED}
