"""Every route says who may call it, routes.txt lists them all, and the server keeps to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from webapp.core.security.permissions import SHIPPED_ROLES
from webapp.db import db
from webapp.jobs import batches
from webapp.models import (
    Alias,
    AliasKind,
    Batch,
    BatchKind,
    BatchState,
    Door,
    HeaderMapping,
    LinkPurpose,
    Message,
    MessageKind,
    Role,
    Row,
    Session,
)
from webapp.services.accounts import service_accounts
from webapp.services.accounts import tokens as tokens_of_programs
from webapp.services.links import account_links

from tests.factories import make_group, make_invitation, make_persona, make_user, token_of
from tests.routes import route_lines
from tests.steps import stage

LISTED = Path(__file__).parent.parent / "routes.txt"
PERMISSIONS = {role.name: {str(permission) for permission in role.permissions} for role in SHIPPED_ROLES}
ROLES = [pytest.param(name, marks=[] if name in ("Owner", "Analyst") else pytest.mark.any_database) for name in PERMISSIONS]
"""On PostgreSQL, one who sees and does everything and one who only looks: all statements are in their pages."""
PERSONAL = {"sessions.delete", "sessions.second"}
"""They end the session of who calls them, or are for who is half-way in."""
LEADS_TO_SIGN_IN = {"password_reset.use"}
"""A new password is chosen: one signs in with it."""
LINKS = {LinkPurpose.RESET: {}, LinkPurpose.EMAIL: {"email": "ada@x.example", "email_key": "ada@x.example"}}


def routes(app):
    """(method, path, endpoint, who) of every route but the static files; tests/api has those of programs."""
    rows = [line.split(maxsplit=3) for line in route_lines(app)]
    return [tuple(row) for row in rows if row[2] != "static" and "/api/v1" not in row[1]]


def call(browser, method, path, user_id=1, **more):
    path = path.replace("<int:user_id>", str(user_id))
    return browser.send(method, re.sub(r"<(int:)?[^>]+>", "1", path), None, **more)


def test_every_route_says_who_may_call_it(app):
    assert [endpoint for _, _, endpoint, who in routes(app) if who == "NOBODY"] == []


def test_a_blueprint_is_named_like_its_module(app):
    assert [name for name, bp in app.blueprints.items() if bp.import_name.rpartition(".")[2] != name.removeprefix("api_")] == []


def test_routes_txt_lists_every_route(app):
    assert LISTED.read_text(encoding="utf-8").splitlines() == route_lines(app), (
        "Look at the new routes, then: python -m tests.routes > routes.txt"
    )


class World:
    """One of everything that an address can name. `addresses(path)`: the path, with every batch and link there is."""

    def __init__(self, owner):
        group, ines, ada = make_group("Student Devices"), make_invitation(), make_user("Ada Hill", "Remote")
        custom = Role(name="Guest", key="guest", rank=5, permissions=[])
        alias = Alias(kind=AliasKind.GROUP, word="Kids", key="kids", group_id=group.id)
        columns = HeaderMapping(key="0" * 64, columns={"0": "email"}, names={"Email": "Mail"})
        message = Message(
            kind=MessageKind.INVITATION, priority=1, recipient=ines.email, message_id="<1@x>", invitation_id=ines.id
        )
        db.session.add_all([custom, alias, columns, message])
        db.session.commit()
        links = {purpose: account_links.create_link(ada, purpose, **more) for purpose, more in LINKS.items()}
        maren = make_persona("Owner")
        links[LinkPurpose.SIGN_IN] = account_links.create_link(maren, LinkPurpose.SIGN_IN)
        tokens = {
            account_links.PATHS[purpose]: account_links.link_url(link).rpartition("/")[2] for purpose, link in links.items()
        }
        db.session.commit()
        self.tokens = {**tokens, "invitations": token_of(ines), "setup": "unknown"}
        program = service_accounts.create("School system", custom.id, maren)
        token, _ = tokens_of_programs.make_token(maren, maren, "nightly", ["users:see"], 30)
        self.ids = {
            "group_id": group.id, "invitation_id": ines.id, "user_id": ada.id, "role_id": custom.id, "alias_id": alias.id,
            "mapping_id": columns.id, "message_id": message.id, "session_id": 1, "line": 2,
            "account_id": program.id, "token_id": token.id,
        }  # fmt: skip
        self.texts = {"section": "email"}
        self.batches = self._batches(owner, ada)

    def _batches(self, owner, ada):
        reviewing = stage(owner)
        mapping = stage(owner, "a,b,c\nana@northfield.example,Analyst,x\n")
        finished = stage(owner, "Email,Role\nleo@northfield.example,Analyst\n")
        assert (reviewing.state, mapping.state) == (BatchState.REVIEWING, BatchState.MAPPING)
        owner.post(f"/batches/{finished.id}/confirmation", {"version": finished.version})
        batches.process(finished.id)
        eve = make_user("Eve Roth", "Remote")
        owner.post("/actions", {"do": "deactivate", "people": f"user-{ada.id},user-{eve.id}"})
        action = db.session.scalars(db.select(Batch).where(Batch.kind == BatchKind.ACTION)).one()
        return [reviewing, mapping, finished, action]

    def addresses(self, path):
        """Every address that the pattern of a route stands for here."""
        path = re.sub(r"<int:(\w+)>", lambda name: str(self.ids.get(name[1], name[0])), path)
        path = re.sub(r"<(section)>", lambda name: self.texts[name[1]], path)
        path = path.replace("<token>", self.tokens.get(path.split("/")[1], ""))
        for batch in self.batches if "batch_id" in path else ():
            row = db.session.scalar(db.select(Row.id).where(Row.batch_id == batch.id).order_by(Row.line)) or 0
            yield path.replace("<int:batch_id>", str(batch.id)).replace("<int:row_id>", str(row))
        if "<" not in path:
            yield path


@pytest.fixture
def world(app, owner):
    return World(owner)


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_its_permissions_include_and_nothing_else(app, sign_in, world, role):
    """Every page, and as htmx asks for it, for every kind of batch."""
    browser, wrong, asked = sign_in(role), [], 0
    for method, path, endpoint, who in routes(app):
        if method != "GET" or endpoint in PERSONAL:
            continue
        for address in list(world.addresses(path))[: None if may(role, who) else 1]:
            for htmx in (False, True):
                answer, asked = browser.get(address, None, htmx=htmx), asked + 1
                if fault := misfit(answer, endpoint, who, role):
                    wrong.append(f"GET {address}{' for htmx' if htmx else ''} ({who}): {fault}")
    assert wrong == []
    assert asked > 100


@pytest.mark.slow
@pytest.mark.parametrize("door", Door)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_what_its_permissions_include_and_nothing_else(app, sign_in, world, role, door):
    """Every command, and every page that is one's own, by whatever door somebody came in."""
    browser, wrong = come_in(sign_in, role, door), []
    for method, path, endpoint, who in routes(app):
        if method == "GET" and endpoint not in PERSONAL:
            continue
        for htmx in (False, True):
            for address in list(world.addresses(path))[:1]:
                fault = misfit(browser.send(method, address, None, htmx=htmx), endpoint, who, role)
                if fault:  # what was done before may have ended the session
                    browser = come_in(sign_in, role, door)
                    fault = misfit(browser.send(method, address, None, htmx=htmx), endpoint, who, role)
                if fault:
                    wrong.append(f"{method} {address}{' for htmx' if htmx else ''} ({who}): {fault}")
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("door", [Door.OIDC, Door.PROXY])
@pytest.mark.parametrize("role", ROLES)
def test_every_page_is_the_same_by_whatever_door(app, sign_in, world, role, door):
    browser, wrong = come_in(sign_in, role, door), []
    for method, path, endpoint, who in routes(app):
        if method != "GET" or endpoint in PERSONAL:
            continue
        for address in list(world.addresses(path))[:1]:
            if fault := misfit(browser.get(address, None), endpoint, who, role):
                wrong.append(f"GET {address} ({who}): {fault}")
    assert wrong == []


def come_in(sign_in, role, door):
    """A browser in which somebody is signed in by this door."""
    browser = sign_in(role)
    db.session.execute(db.update(Session).where(Session.user_id == browser.user.id).values(via=door))
    db.session.commit()
    return browser


def may(role, who) -> bool:
    """Whether a route that says who may call it is for this role."""
    return who in ("public", "signed in") or who in PERMISSIONS[role]


def misfit(answer, endpoint, who, role) -> str:
    """What is wrong with an answer to this role; "" where nothing is."""
    is_allowed = may(role, who)
    fits = answer.status not in (401, 403) and answer.status < 500 if is_allowed else answer.status == 403
    is_asked_to_sign_in = "/sign-in" in answer.location and endpoint not in PERSONAL | LEADS_TO_SIGN_IN
    if endpoint == "health.show" or (fits and not is_asked_to_sign_in):
        return ""
    return f"{answer.status} {answer.location}"


def test_who_is_signed_out_is_led_to_the_sign_in(app, client, sign_in):
    sign_in("Owner")
    wrong = []
    for method, path, endpoint, who in routes(app):
        answer, part = call(client, method, path), call(client, method, path, htmx=True)
        if who != "public":
            if (answer.status, part.status) != (303, 200) or "/sign-in" not in answer.location or "/sign-in" not in part.location:
                wrong.append(f"{method} {path}: {answer.status} {answer.location}, for htmx {part.status}")
        elif endpoint != "health.show" and (answer.status >= 500 or answer.status in (401, 403)):
            wrong.append(f"{method} {path}: {answer.status}")
    assert wrong == []
