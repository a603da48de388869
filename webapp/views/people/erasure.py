"""Erasing a person: what goes and what stays, then the password."""

from __future__ import annotations

from flask import Blueprint, render_template
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.security.permissions import Permission
from webapp.http.forms import ProofForm
from webapp.http.web import Page, current_user, redirect_to, require
from webapp.models import User
from webapp.services.people import erasure

bp = Blueprint("erasure", __name__, url_prefix="/users/<int:user_id>/erasure")


@bp.get("")
@require(Permission.USERS_MANAGE)
def show(user_id: int) -> Page:
    """What is erased, and what is kept under a pseudonym."""
    return page(ProofForm(formdata=None), erasure.erasable(user_id, current_user()))


@bp.post("")
@require(Permission.USERS_MANAGE)
def create(user_id: int) -> Page | BaseResponse:
    """Erase, for good."""
    form, user = ProofForm(), erasure.erasable(user_id, current_user())
    if not form.validate():
        return page(form, user, 422)
    name = erasure.erase(user_id, current_user())
    return redirect_to(
        "people_list.index", say=f"This person is erased. The audit log calls them {name}."
    )


def page(form: ProofForm, user: User, status: int = 200) -> tuple[str, int]:
    """The question."""
    traces, pseudonym = erasure.traces(user), erasure.pseudonym(user)
    return render_template(
        "people/erasure/show.html", form=form, user=user, traces=traces, pseudonym=pseudonym
    ), status
