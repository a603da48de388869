"""The way back in for a locked-out Owner: the page behind the link of `flask muster owner-link`."""

from __future__ import annotations

from flask import Blueprint, render_template
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import ConflictError
from webapp.http.auth import answer_dead_link, continue_sign_in
from webapp.http.forms import OwnerLinkForm
from webapp.http.web import PUBLIC, Page, require
from webapp.services.accounts import owner_recovery

bp = Blueprint("owner_recovery", __name__, url_prefix="/owner-links")


def dead_link_page() -> Page:
    """The page for a link that does not work."""
    return answer_dead_link(
        "a link for the Owner", (render_template("accounts/owner_recovery/gone.html"), 410)
    )


@bp.get("/<token>")
@require(PUBLIC)
def show(token: str) -> Page:
    """A button, and a new password if one is wanted. Opening the link changes nothing."""
    link = owner_recovery.link_of(token)
    if link is None:
        return dead_link_page()
    form = OwnerLinkForm(formdata=None).of(link.user.name, link.user.email)
    return render_template("accounts/owner_recovery/show.html", form=form, link=link, token=token)


@bp.post("/<token>")
@require(PUBLIC)
def use(token: str) -> Page | BaseResponse:
    """Sign the Owner in; where they have a second factor, that step comes next."""
    link = owner_recovery.link_of(token)
    if link is None:
        return dead_link_page()
    form = OwnerLinkForm().of(link.user.name, link.user.email)
    if not form.validate():
        return render_template(
            "accounts/owner_recovery/show.html", form=form, link=link, token=token
        ), 422
    try:
        owner = owner_recovery.use(token, form.password.data or "")
    except ConflictError:
        return dead_link_page()
    return continue_sign_in(owner)
