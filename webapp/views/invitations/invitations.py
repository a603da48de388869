"""Invitations: one person invited, a link copied or sent again, and the page behind the link."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request, session, url_for

from webapp.core.errors import ConflictError, RuleViolationError
from webapp.core.files.cleaning import clean
from webapp.core.security.permissions import Permission
from webapp.core.security.tokens import hash_token
from webapp.http import proxy
from webapp.http.auth import (
    answer_dead_link,
    check_given_password,
    count_try,
    explain,
    record_refusal,
    start_session,
)
from webapp.http.forms import AcceptForm, ReaddressForm, form_page, show_issues
from webapp.http.invite_dialog import TABS, dialog_context, invite_form
from webapp.http.rate_limits import Limit
from webapp.http.web import (
    PUBLIC,
    Answer,
    current_user,
    page_or_fragment,
    peer,
    redirect_to,
    require,
    run_after_response,
    safe_next,
)
from webapp.models import Invitation
from webapp.services.batches import single_invite
from webapp.services.directory import lookup
from webapp.services.invitations import invitations
from webapp.services.mail import outbox
from webapp.services.settings import in_force

bp = Blueprint("invitations", __name__, url_prefix="/invitations")

BEYOND_RANK = ("grant_more", "grant_owner", "rank")
"""Codes of issues that the audit log counts as refusals."""


@bp.get("/new")
@require(Permission.INVITATIONS_MAKE)
def new() -> str:
    """The dialog as a page of its own."""
    asked = request.args.get("invite")
    return render_template(
        "invitations/new.html", **dialog_context(tab=asked if asked in TABS else "bulk")
    )


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create() -> Answer:
    """Single Invite."""
    form = invite_form()
    try:
        invitation = single_invite.invite(
            form.cells(), current_user(), proven=check_given_password()
        )
    except RuleViolationError as refusal:
        issues = issues_of(refusal)
        if any(issue["code"] in BEYOND_RANK for issue in issues):
            record_refusal("rank.refused")
        show_issues(form, issues)
        return page_or_fragment(
            "invitations/new.html",
            "invitations/_single.html",
            refusal.status,
            **dialog_context("single", form, in_the_way=getattr(refusal, "person", None)),
        )
    said = f"Invitation sent to {invitation.email}"
    if waits := outbox.delivery_notice():
        said = f"{invitation.email} is invited. {waits}"
    return redirect_to("people_list.index", say=said)


def issues_of(refusal: RuleViolationError) -> list[dict[str, Any]]:
    """Issues for the fields of the form, for a refused invitation or a wrong password."""
    if isinstance(refusal, single_invite.InviteRefusedError):
        return refusal.issues
    return [{"field": "password", "code": "text", "text": explain(refusal)}]


@bp.get("/<int:invitation_id>/email")
@bp.post("/<int:invitation_id>/email")
@require(Permission.INVITATIONS_MAKE)
def email(invitation_id: int) -> Answer:
    """Edit email: a POST revokes the invitation and invites another address in its place."""
    old = invitations.get_pending(invitation_id, current_user())
    before = old.email
    form = ReaddressForm(data={"email": before, "next": request.args.get("next", "")})
    if not form.validate_on_submit():
        return email_form(old, form, 422 if form.is_submitted() else 200)
    try:
        made = single_invite.replace_invitation(
            invitation_id, clean(form.email.data), current_user(), proven=check_given_password()
        )
    except RuleViolationError as refusal:
        show_issues(form, issues_of(refusal))
        old = invitations.get_pending(invitation_id, current_user())
        return email_form(old, form, refusal.status)
    here = url_for("person.show", invitation_id=invitation_id)
    back = None if form.next.data == here else form.next.data
    gone = f"The link sent to {before} no longer works."
    said = [f"{made.email} is invited.", outbox.delivery_notice(), gone]
    return redirect_to(
        "person.show", invitation_id=made.id, say=" ".join(filter(None, said)), back=back
    )


def email_form(invitation: Invitation, form: ReaddressForm, status: int) -> Answer:
    """The form, as a page or for the dialog."""
    role = lookup.registry().role_by_id[invitation.role_id]
    context = {"invitation": invitation, "form": form, "is_administrator": role.manages_people}
    return page_or_fragment("invitations/email.html", "invitations/_email.html", status, **context)


@bp.post("/<int:invitation_id>/link")
@require(Permission.MESSAGES_SEE)
def link(invitation_id: int) -> Answer:
    """The link, to hand over by other means, as a page or for the dialog. To a role that manages people it costs the password."""
    address, problem, status = "", "", 200
    try:
        proven = check_given_password()
        address = invitations.copy_link(invitation_id, current_user(), proven=proven)
    except RuleViolationError as refusal:
        status = refusal.status
        problem = explain(refusal) if "password" in request.form else ""
    return page_or_fragment(
        "invitations/link.html",
        "invitations/_link.html",
        status,
        invitation=invitations.get_pending(invitation_id, current_user()),
        address=address,
        problem=problem,
        back=safe_next(request.form.get("next")),
    )


@bp.get("/<token>")
@bp.post("/<token>")
@require(PUBLIC)
def show(token: str) -> Answer:
    """The page behind the link. Opening it changes nothing: mail scanners open links. A POST accepts, and the person is in."""
    invitation = invitations.find_by_token(token)
    worth = invitations.link_state(invitation)
    if invitation is None or worth != "open":
        return dead_link_page(invitation, worth)
    form = AcceptForm(data={"name": invitation.name})
    form.email.data = invitation.email
    is_only_elsewhere = in_force.environment().oidc_only == "yes"
    if not form.validate_on_submit() or is_only_elsewhere:
        return form_page(
            "invitations/accept.html",
            form,
            invitation=invitation,
            token=token,
            at_proxy=proxy.is_named(),
        )
    try:
        user = invitations.accept(token, form.name.data, form.password.data)
    except ConflictError:
        invitation = invitations.find_by_token(token)
        return dead_link_page(invitation, invitations.link_state(invitation))
    start_session(user)
    session["joined"] = True
    return redirect_to("dashboard.index")


@bp.post("/<token>/renewal")
@require(PUBLIC)
def renew(token: str) -> Answer:
    """Ask for a new link in place of an expired one. The answer is the same whether it goes or not, and at a second press."""
    invitation = invitations.find_by_token(token)
    worth = invitations.link_state(invitation)
    if worth == "unknown" and session.get("renewed") == hash_token(token):
        return redirect_to("invitations.asked")
    if worth == "open":
        return redirect_to("invitations.show", token=token)
    if invitation is None or worth != "expired" or not in_force.environment().mail_url:
        return dead_link_page(invitation, worth)
    count_try(invitation.email_key, Limit.RESET, f"a new link for {invitation.email}")
    session["renewed"] = hash_token(token)
    run_after_response(invitations.ask_again, token, peer())
    return redirect_to("invitations.asked")


@bp.get("/asked")
@require(PUBLIC)
def asked() -> str:
    """What the person reads who asked for a new link. The page does not say where it goes."""
    return render_template("invitations/gone.html", worth="asked", invitation=None)


def dead_link_page(invitation: Invitation | None, worth: str) -> Answer:
    """A kind page for a link that does not work: 404 for an unknown one, else 410."""
    what = "the link of an invitation"
    if invitation:
        what = f"the link of the invitation of {invitation.email}"
    html = render_template("invitations/gone.html", worth=worth, invitation=invitation)
    return answer_dead_link(what, (html, 410 if invitation else 404), is_known=bool(invitation))
