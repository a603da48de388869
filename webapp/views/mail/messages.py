"""Outgoing mail: what is due, what went, what was refused, and what it said."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from webapp.core.lists.paging import searched
from webapp.core.security.permissions import Permission
from webapp.http.web import FRAME_CSP, current_user, get_number, require
from webapp.services.mail import outbox, render, throttle

bp = Blueprint("messages", __name__, url_prefix="/messages")


@bp.get("")
@require(Permission.MESSAGES_SEE)
def index() -> str:
    """All messages that one may see, newest first, and whether sending is held up."""
    kind = request.args.get("state", "")
    words = searched(request.args.get("q", ""))
    before = get_number(request.args, "before")
    listed = outbox.list_messages(current_user(), before, kind, words)
    return render_template(
        "mail/index.html",
        listed=listed,
        kind=kind,
        words=words,
        more=len(listed) == outbox.PAGE,
        counts=outbox.count_by_kind(current_user()),
        **throttle.notices(),
    )


@bp.get("/<int:message_id>")
@require(Permission.MESSAGES_SEE)
def show(message_id: int) -> str:
    """One message: its text, its looks, its way so far."""
    message = outbox.get_message(message_id, current_user())
    return render_template(
        "mail/show.html",
        message=message,
        email=render.render(message),
        **throttle.notices(),
    )


@bp.get("/<int:message_id>/html")
@require(Permission.MESSAGES_SEE)
def html(message_id: int) -> Response:
    """The e-mail's HTML as a document of its own, for the frame on its page."""
    email = render.render(outbox.get_message(message_id, current_user()))
    return Response(email.html, headers={"Content-Security-Policy": FRAME_CSP})
