"""One person, a user or an invitation: their page, and what is done to one alone."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import NotFoundError, RateLimitError, RuleViolationError
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
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.mail import delivery_status
from webapp.services.people import person as people

bp = Blueprint("person", __name__)

PARTS = {"role": Do.SET_ROLE, "groups": Do.SET_GROUPS}
"""What the form for somebody's access can be about."""
OVER = "That session was over already."


@bp.get("/users/<int:user_id>")
@bp.get("/invitations/<int:invitation_id>/details")
@require(Permission.USERS_SEE)
def show(**ids: int) -> str:
    """One person's page: access, origin, messages, history, sessions. /invitations/<token> is the invited person's own."""
    me, person = current_user(), people.get_person(**ids)
    own = people.list_invitations(person)
    history = people.list_history(person, own, get_number(request.args, "before"))
    may_sign_out = me.may(Permission.USERS_MANAGE) and person.role.rank <= me.role.rank
    return render_template(
        "people/person/show.html",
        person=person,
        origin=people.find_origin(person, own),
        delivery=delivery_status.find_deliveries([person.id])[person.id]
        if isinstance(person, Invitation)
        else None,
        messages=people.list_messages(own),
        events=history[: people.HISTORY] if me.may(Permission.AUDIT_READ) else None,
        has_more=len(history) > people.HISTORY,
        sessions=sessions.list_sessions(person)
        if isinstance(person, User) and may_sign_out
        else None,
        device=device,
        **menu_context(lookup.registry()),
    )


@bp.get("/users/<int:user_id>/access")
@bp.get("/invitations/<int:invitation_id>/access")
@require(Permission.USERS_MANAGE)
def access(**ids: int) -> tuple[str, int]:
    """The form for a person's role, or groups."""
    part = request.args.get("part", "")
    return form(people.get_person(**ids), part if part in PARTS else "role")


@bp.post("/users/<int:user_id>/access")
@bp.post("/invitations/<int:invitation_id>/access")
@require(Permission.USERS_MANAGE)
def change_access(**ids: int) -> BaseResponse | tuple[str, int]:
    """Set a person's role, or groups."""
    action = ActionSchema().load({**request.form, "groups": request.form.getlist("groups")})
    return change(people.get_person(**ids), action)


@bp.get("/users/<int:user_id>/deactivation", defaults={"do": Do.DEACTIVATE})
@bp.get("/users/<int:user_id>/reactivation", defaults={"do": Do.REACTIVATE})
@require(Permission.USERS_MANAGE)
def ask_about_user(user_id: int, do: Do) -> tuple[str, int]:
    """The question before a user is deactivated or comes back."""
    return question(people.get_person(user_id), do)


@bp.post("/users/<int:user_id>/deactivation", defaults={"do": Do.DEACTIVATE})
@bp.post("/users/<int:user_id>/reactivation", defaults={"do": Do.REACTIVATE})
@require(Permission.USERS_MANAGE)
def change_user(user_id: int, do: Do) -> BaseResponse | tuple[str, int]:
    """Deactivate a user, who is signed out everywhere, or let them in again."""
    return change(people.get_person(user_id), Action(do))


@bp.get("/invitations/<int:invitation_id>/revocation", defaults={"do": Do.REVOKE})
@bp.get("/invitations/<int:invitation_id>/messages", defaults={"do": Do.RESEND})
@require(Permission.INVITATIONS_MAKE)
def ask_about_invitation(invitation_id: int, do: Do) -> tuple[str, int]:
    """The question before an invitation is revoked or sent again."""
    return question(people.get_person(invitation_id=invitation_id), do)


@bp.post("/invitations/<int:invitation_id>/revocation", defaults={"do": Do.REVOKE})
@bp.post("/invitations/<int:invitation_id>/messages", defaults={"do": Do.RESEND})
@require(Permission.INVITATIONS_MAKE)
def change_invitation(invitation_id: int, do: Do) -> BaseResponse | tuple[str, int]:
    """Make an invitation's link worthless, or send it again: the link stays good, its time is extended."""
    return change(people.get_person(invitation_id=invitation_id), Action(do))


@bp.get("/users/<int:user_id>/sessions/removal")
@require(Permission.USERS_MANAGE)
def ending_sessions(user_id: int) -> BaseResponse | tuple[str, int]:
    """The question before a user is signed out: from the session that the address names, or from all."""
    user = people.get_user_to_sign_out(user_id, current_user())
    only = get_number(request.args, "session")
    n = sum(only in (None, each.id) for each in sessions.list_sessions(user))
    if not n:
        return redirect_to("person.show", user_id=user_id, say=OVER)
    name = user.name
    return ask(
        Question(
            asks=f"End this session of {name}?" if only else f"Sign {name} out everywhere?",
            tells=f"{plural(n, 'session ends', 'sessions end')} at once. They can sign in again.",
            does="End session" if only else "Sign out everywhere",
            home=url_for("person.show", user_id=user_id),
            values={"session": str(only)} if only else {},
        )
    )


@bp.post("/users/<int:user_id>/sessions/removal")
@require(Permission.USERS_MANAGE)
def end_sessions(user_id: int) -> BaseResponse:
    """Sign a user out: from the session that the form names, or from all."""
    user = people.get_user_to_sign_out(user_id, current_user())
    only = get_number(request.form, "session")
    ended = sessions.end_sessions(user, current_user(), only=only)
    said = f"{plural(ended, 'session')} ended." if ended else OVER
    return redirect_to("person.show", user_id=user_id, say=said)


def form(
    person: User | Invitation, part: str, problem: str = "", status: int = 200
) -> tuple[str, int]:
    """The form for one person's access, as a page or for the dialog. Raises NotFoundError where one may not do it to them."""
    sent = request.form
    return page_or_fragment(
        "people/person/access.html",
        "people/person/_access.html",
        status,
        part=part,
        seen=people.access_key(person),
        chosen=[*sent.getlist("role"), *sent.getlist("groups")]
        or people.current_access(person, part),
        problem=problem,
        **person_context(person, PARTS[part]),
    )


def question(
    person: User | Invitation, do: Do, problem: str = "", status: int = 200
) -> tuple[str, int]:
    """What it does and a button, as a page or for the dialog. Raises NotFoundError where one may not do it to them."""
    context = person_context(person, do)
    manages = context["registry"].role_by_id[person.role_id].manages_people
    made = None
    if do is Do.DEACTIVATE:
        made = invitations.count_made_by(current_user(), Invitation.invited_by_id == person.id)
    return page_or_fragment(
        "people/person/question.html",
        "people/person/_question.html",
        status,
        do=do,
        made=made,
        proof=do is Do.REACTIVATE and manages,
        problem=problem,
        **context,
    )


def person_context(person: User | Invitation, do: Do) -> dict[str, Any]:
    """What both need: who it is, and where to go back to."""
    context = menu_context(lookup.registry())
    if do not in context["does"](person):
        raise NotFoundError(
            "This cannot be changed, or not by you. Load the page again to see how things stand."
        )
    back = safe_next(request.values.get("next")) or ""
    return context | {"person": person, "back": back}


def change(person: User | Invitation, action: Action) -> BaseResponse | tuple[str, int]:
    """Do it; where that is refused, the form again, which asks for a password where one is needed."""
    key = person.key
    try:
        said = people.change(
            person,
            action,
            current_user(),
            as_seen=request.form.get("seen"),
            proven=check_given_password("Nothing was changed."),
            theirs=member(Theirs, request.form.get("theirs")) or Theirs.REVOKE_MANAGING,
        )
    except RateLimitError:
        raise  # the audit log counts it
    except RuleViolationError as refusal:
        problem, status = str(refusal), refusal.status
        try:
            if action.do in PARTS.values():
                part = "role" if action.do is Do.SET_ROLE else "groups"
                return form(person, part, problem, status)
            return question(person, action.do, problem, status)
        except NotFoundError:
            raise refusal from None
    return redirect_to("people_list.index", say=said, back=request.form.get("next"), acted=key)
