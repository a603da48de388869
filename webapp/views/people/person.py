"""One person, a user or an invitation: their page, and what is done to one alone."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from webapp.core.errors import NotFoundError, RateLimitError, RuleViolationError
from webapp.core.lists.paging import member
from webapp.core.plan.actions import Action, Do, Theirs
from webapp.core.security.permissions import Permission
from webapp.core.text.devices import device
from webapp.http.auth import check_given_password, explain
from webapp.http.forms import ProofForm, form_page
from webapp.http.person_menu import menu_context
from webapp.http.questions import ask
from webapp.http.web import (
    Answer,
    current_user,
    get_number,
    page_or_fragment,
    redirect_to,
    require,
    safe_next,
)
from webapp.models import Invitation, User
from webapp.schemas.batches import ActionSchema
from webapp.services.accounts import sessions, sso
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.mail import outbox
from webapp.services.people import erasure
from webapp.services.people import person as people

bp = Blueprint("person", __name__)

BOTH = ["GET", "POST"]
"""GET asks, POST does it."""


@bp.get("/users/<int:user_id>")
@bp.get("/invitations/<int:invitation_id>/details")
@require(Permission.USERS_SEE)
def show(**ids: int) -> str:
    """One person's page: access, origin, messages, history, sessions. /invitations/<token> is the invited person's own."""
    person = people.get_person(**ids)
    own = people.list_invitations(person)
    events, following = people.list_history(person, own, get_number(request.args, "before"))
    return render_template(
        "people/person/show.html",
        person=person,
        origin=people.find_origin(person, own),
        deliveries=outbox.find_deliveries(each.id for each in own),
        messages=people.list_messages(own),
        events=events,
        following=following,
        sessions=sessions.list_sessions(person) if isinstance(person, User) else [],
        device=device,
        door_name=sso.name_of,
        identities=sso.find_identities(person) if isinstance(person, User) else [],
        **menu_context(lookup.registry()),
    )


@bp.route("/users/<int:user_id>/access", methods=BOTH)
@bp.route("/invitations/<int:invitation_id>/access", methods=BOTH)
@require(Permission.USERS_MANAGE)
def access(**ids: int) -> Answer:
    """Set a person's role, or groups."""
    person = people.get_person(**ids)
    if request.method == "POST":
        values = {**request.form, "groups": request.form.getlist("groups")}
        return change(person, ActionSchema().load(values))
    is_of_groups = request.args.get("part") == "groups"
    return question(person, Do.SET_GROUPS if is_of_groups else Do.SET_ROLE)


@bp.route("/users/<int:user_id>/deactivation", methods=BOTH, defaults={"do": Do.DEACTIVATE})
@bp.route("/users/<int:user_id>/reactivation", methods=BOTH, defaults={"do": Do.REACTIVATE})
@require(Permission.USERS_MANAGE)
def change_user(user_id: int, do: Do) -> Answer:
    """Deactivate a user, who is signed out everywhere, or let them in again."""
    return change(people.get_person(user_id), Action(do))


@bp.route("/invitations/<int:invitation_id>/revocation", methods=BOTH, defaults={"do": Do.REVOKE})
@bp.route("/invitations/<int:invitation_id>/messages", methods=BOTH, defaults={"do": Do.RESEND})
@require(Permission.INVITATIONS_MAKE)
def change_invitation(invitation_id: int, do: Do) -> Answer:
    """Make an invitation's link worthless, or send it again: the link stays good, its time is extended."""
    return change(people.get_person(invitation_id=invitation_id), Action(do))


@bp.route("/users/<int:user_id>/sessions/removal", methods=BOTH)
@require(Permission.USERS_MANAGE)
def end_sessions(user_id: int) -> Answer:
    """Sign a user out: from the session that the address or the form names, or from all."""
    user = people.get_user_to_sign_out(user_id, current_user())
    only = get_number(request.values, "session")
    if request.method == "POST":
        sessions.end_sessions(user, current_user(), only=only)
        said = "The session ended." if only else f"{user.name} is signed out everywhere."
        return redirect_to("person.show", user_id=user_id, say=said)
    return ask(
        asks=f"End this session of {user.name}?" if only else f"Sign {user.name} out everywhere?",
        tells="It takes effect at once. They can sign in again.",
        does="End session" if only else "Sign out everywhere",
        home=url_for("person.show", user_id=user_id),
        values={"session": str(only)} if only else {},
    )


@bp.route("/users/<int:user_id>/erasure", methods=BOTH)
@require(Permission.USERS_MANAGE)
def erase(user_id: int) -> Answer:
    """Erase a user for good. The question says what goes, and what is kept under a pseudonym."""
    user = erasure.get_erasable(user_id, current_user())
    form = ProofForm()
    if form.validate_on_submit():
        name = erasure.erase(user_id, current_user())
        said = f"This person is erased. The audit log calls them {name}."
        return redirect_to("people_list.index", say=said)
    return form_page(
        "people/person/erasure.html",
        form,
        user=user,
        traces=erasure.find_traces(user),
        pseudonym=erasure.pseudonym(user),
    )


def change(person: User | Invitation, action: Action) -> Answer:
    """Ask, or do it; where that is refused, ask again, for a password where one is needed."""
    if request.method != "POST":
        return question(person, action.do)
    try:
        said = people.change(
            person,
            action,
            current_user(),
            as_seen=request.form.get("seen"),
            proven=check_given_password(),
            theirs=member(Theirs, request.form.get("theirs")) or Theirs.REVOKE_MANAGING,
        )
    except RateLimitError:
        raise  # the audit log counts it
    except RuleViolationError as refusal:
        return question(person, action.do, refusal)
    back = request.form.get("next")
    return redirect_to("people_list.index", say=said, back=back, acted=person.key)


def question(
    person: User | Invitation, do: Do, refusal: RuleViolationError | None = None
) -> Answer:
    """What it does and a button, as a page or for the dialog. Raises NotFoundError where one may not do it to them."""
    context = menu_context(lookup.registry())
    if do not in context["does"](person):
        raise refusal or NotFoundError(
            "This cannot be changed, or not by you. Load the page again to see how things stand."
        )
    made = None
    if do is Do.DEACTIVATE:
        made = invitations.count_made_by(current_user(), Invitation.invited_by_id == person.id)
    context |= {
        "person": person,
        "do": do,
        "seen": people.access_key(person),
        "made": made,
        "problem": explain(refusal) if refusal else "",
        "back": safe_next(request.values.get("next")) or "",
    }
    status = refusal.status if refusal else 200
    return page_or_fragment(
        "people/person/change.html", "people/person/_change.html", status, **context
    )
