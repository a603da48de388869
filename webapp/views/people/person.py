"""One person, a user or an invitation: their page, and what is done to one alone."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import NotFoundError, RuleViolationError
from webapp.core.lists.paging import member
from webapp.core.plan.actions import Action, Do, Theirs
from webapp.core.security.permissions import Permission
from webapp.core.text.devices import device
from webapp.core.text.formatting import plural
from webapp.http.auth import check_given_password
from webapp.http.person_menu import menu_context
from webapp.http.questions import Question, ask
from webapp.http.web import (
    current_user,
    get_number,
    page_or_fragment,
    redirect_to,
    require,
    safe_next,
)
from webapp.models import Invitation, User
from webapp.schemas.actions import ActionSchema
from webapp.services.accounts import sessions
from webapp.services.batches import actions
from webapp.services.batches.actions import Kind
from webapp.services.directory import lookup, people_list
from webapp.services.invitations import invitations
from webapp.services.mail import delivery_status
from webapp.services.people import person as people

bp = Blueprint("people", __name__)

PARTS = {"role": Do.SET_ROLE, "groups": Do.SET_GROUPS}
"""What the form for somebody's access can be about."""
NOUNS = {
    Do.RESEND: "messages",
    Do.REVOKE: "revocation",
    Do.DEACTIVATE: "deactivation",
    Do.REACTIVATE: "reactivation",
}
"""What is asked about first, by a page that does it at its own address."""
OVER = "That session was over already."


@bp.get("/users/<int:user_id>")
@require(Permission.USERS_SEE)
def user(user_id: int) -> str:
    """A user's page."""
    return page("user", user_id)


@bp.get("/invitations/<int:invitation_id>/details")
@require(Permission.USERS_SEE)
def invitation(invitation_id: int) -> str:
    """An invitation's page; /invitations/<token> is the invited person's own."""
    return page("invitation", invitation_id)


def page(kind: Kind, person_id: int) -> str:
    """One person's page: access, origin, messages, and what else the current user may see."""
    person = people.get_person(kind, person_id)
    own = people.list_invitations(person)
    events, has_more = people.list_history(person, own, get_number(request.args, "before"))
    may_sign_out = (
        current_user().may(Permission.USERS_MANAGE) and person.role.rank <= current_user().role.rank
    )
    return render_template(
        "people/person/show.html",
        entry=people_list.entry_of(person),
        origin=people.find_origin(person, own),
        delivery=delivery_status.find_deliveries([person_id])[person_id]
        if isinstance(person, Invitation)
        else None,
        messages=people.list_messages(own),
        events=events if current_user().may(Permission.AUDIT_READ) else None,
        has_more=has_more,
        sessions=sessions.list_sessions(person)
        if isinstance(person, User) and may_sign_out
        else None,
        device=device,
        **menu_context(lookup.registry()),
    )


@bp.get("/users/<int:user_id>/access")
@require(Permission.USERS_MANAGE)
def user_access(user_id: int) -> tuple[str, int]:
    """The form for a user's role, or groups."""
    return form("user", user_id, part_from_request())


@bp.get("/invitations/<int:invitation_id>/access")
@require(Permission.USERS_MANAGE)
def invitation_access(invitation_id: int) -> tuple[str, int]:
    """The form for an invitation's role, or groups."""
    return form("invitation", invitation_id, part_from_request())


@bp.post("/users/<int:user_id>/access")
@require(Permission.USERS_MANAGE)
def change_user(user_id: int) -> BaseResponse | tuple[str, int]:
    """Set a user's role, or groups."""
    return change("user", user_id, action_from_request())


@bp.post("/invitations/<int:invitation_id>/access")
@require(Permission.USERS_MANAGE)
def change_invitation(invitation_id: int) -> BaseResponse | tuple[str, int]:
    """Set an invitation's role, or groups."""
    return change("invitation", invitation_id, action_from_request())


@bp.get("/users/<int:user_id>/deactivation")
@require(Permission.USERS_MANAGE)
def deactivation(user_id: int) -> tuple[str, int]:
    """The question before a user is deactivated."""
    return question("user", user_id, Do.DEACTIVATE)


@bp.get("/users/<int:user_id>/reactivation")
@require(Permission.USERS_MANAGE)
def reactivation(user_id: int) -> tuple[str, int]:
    """The question before a user comes back."""
    return question("user", user_id, Do.REACTIVATE)


@bp.get("/invitations/<int:invitation_id>/revocation")
@require(Permission.INVITATIONS_MAKE)
def revocation(invitation_id: int) -> tuple[str, int]:
    """The question before an invitation is revoked."""
    return question("invitation", invitation_id, Do.REVOKE)


@bp.get("/invitations/<int:invitation_id>/messages")
@require(Permission.INVITATIONS_MAKE)
def another_message(invitation_id: int) -> tuple[str, int]:
    """The question before an invitation is sent again."""
    return question("invitation", invitation_id, Do.RESEND)


@bp.post("/users/<int:user_id>/deactivation")
@require(Permission.USERS_MANAGE)
def deactivate(user_id: int) -> BaseResponse:
    """Sign a user out everywhere and let them in no more; as the form says, invitations of theirs are revoked."""
    theirs = member(Theirs, request.form.get("theirs")) or Theirs.REVOKE_MANAGING
    return redirect_after(
        "user",
        user_id,
        actions.do_now("user", user_id, Action(Do.DEACTIVATE), current_user(), theirs),
    )


@bp.post("/users/<int:user_id>/reactivation")
@require(Permission.USERS_MANAGE)
def reactivate(user_id: int) -> BaseResponse | tuple[str, int]:
    """Reactivate a user; costs the password if they manage users."""
    return change("user", user_id, Action(Do.REACTIVATE))


@bp.post("/invitations/<int:invitation_id>/revocation")
@require(Permission.INVITATIONS_MAKE)
def revoke(invitation_id: int) -> BaseResponse:
    """Make an invitation's link worthless."""
    return redirect_after(
        "invitation",
        invitation_id,
        actions.do_now("invitation", invitation_id, Action(Do.REVOKE), current_user()),
    )


@bp.get("/users/<int:user_id>/sessions/removal")
@require(Permission.USERS_MANAGE)
def ending_sessions(user_id: int) -> BaseResponse | tuple[str, int]:
    """The question before a user is signed out: from the session that the address names, or from all."""
    user, only = (
        people.get_user_to_sign_out(user_id, current_user()),
        get_number(request.args, "session"),
    )
    standing = [each for each in sessions.list_sessions(user) if only in (None, each.id)]
    if not standing:
        return redirect_to("people.user", user_id=user_id, say=OVER)
    one = f"{device(standing[0].user_agent)}, {standing[0].address or 'address unknown'}"
    many = f"{plural(len(standing), 'session')} {'ends' if len(standing) == 1 else 'end'} at once."
    return ask(
        Question(
            asks=f"End this session of {user.name}?"
            if only
            else f"Sign {user.name} out everywhere?",
            tells=f"{one} is signed out at once, and can sign in again."
            if only
            else f"{many} They can sign in again.",
            does="End session" if only else "Sign out everywhere",
            home=url_for("people.user", user_id=user_id),
            values={"session": str(only)} if only else {},
        )
    )


@bp.post("/users/<int:user_id>/sessions/removal")
@require(Permission.USERS_MANAGE)
def end_sessions(user_id: int) -> BaseResponse:
    """Sign a user out: from the session that the form names, or from all."""
    ended = people.end_sessions(user_id, current_user(), get_number(request.form, "session"))
    said = f"{plural(ended, 'session')} ended." if ended else OVER
    return redirect_to("people.user", user_id=user_id, say=said)


def part_from_request() -> str:
    """What the form is to be about; the role where the address does not say."""
    part = request.args.get("part", "")
    return part if part in PARTS else "role"


def action_from_request() -> Action:
    """What a form asks for."""
    action = ActionSchema().load({**request.form, "groups": request.form.getlist("groups")})
    assert isinstance(action, Action)
    return action


def form(
    kind: Kind, person_id: int, part: str, problem: str = "", status: int = 200
) -> tuple[str, int]:
    """The form for one person's access, as a page or for the dialog. Raises NotFoundError where one may not do it to them."""
    values, sent = about(kind, person_id, PARTS[part]), request.form
    person = values["entry"].person
    values |= {
        "part": part,
        "seen": people.access_key(person),
        "chosen": [*sent.getlist("role"), *sent.getlist("groups")]
        or people.current_access(person, part),
        "problem": problem,
    }
    return page_or_fragment(
        "people/person/access.html", "people/person/_access.html", status, **values
    )


def question(
    kind: Kind, person_id: int, do: Do, problem: str = "", status: int = 200
) -> tuple[str, int]:
    """What it does and a button, as a page or for the dialog. Raises NotFoundError where one may not do it to them."""
    values = about(kind, person_id, do)
    manages = values["registry"].role_by_id[values["entry"].person.role_id].manages_people
    values["made"] = (
        invitations.count_made_by(current_user(), Invitation.invited_by_id == person_id)
        if do is Do.DEACTIVATE
        else None
    )
    values |= {
        "do": do,
        "noun": NOUNS[do],
        "proof": do is Do.REACTIVATE and manages,
        "problem": problem,
    }
    return page_or_fragment(
        "people/person/question.html", "people/person/_question.html", status, **values
    )


def about(kind: Kind, person_id: int, do: Do) -> dict[str, Any]:
    """What both need: who it is, and where to go back to."""
    entry, values = (
        people_list.entry_of(people.get_person(kind, person_id)),
        menu_context(lookup.registry()),
    )
    if do not in values["does"](entry):
        raise NotFoundError(
            "This cannot be changed, or not by you. Load the page again to see how things stand."
        )
    return values | {
        "entry": entry,
        "back": safe_next(request.form.get("next") or request.args.get("next")) or "",
    }


def change(kind: Kind, person_id: int, action: Action) -> BaseResponse | tuple[str, int]:
    """Do it; where that is refused, the form again, which asks for a password where one is needed."""
    try:
        proven = check_given_password("Nothing was changed.")
        return redirect_after(
            kind,
            person_id,
            people.change_access(
                kind,
                person_id,
                action,
                current_user(),
                as_seen=request.form.get("seen"),
                proven=proven,
            ),
        )
    except RuleViolationError as refusal:
        said, status = str(refusal), refusal.status
        try:
            if action.do in NOUNS:
                return question(kind, person_id, action.do, said, status)
            return form(
                kind, person_id, "role" if action.do is Do.SET_ROLE else "groups", said, status
            )
        except NotFoundError:
            raise refusal from None


def redirect_after(kind: Kind, person_id: int, said: str) -> BaseResponse:
    """Back to where the form was, with what was done, and to the menu of whom it was done to."""
    return redirect_to(
        "users.index", say=said, back=request.form.get("next"), acted=f"{kind}-{person_id}"
    )
