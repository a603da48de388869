"""Device groups."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.errors import Refused
from webapp.core.permissions import Permission
from webapp.core.words import plural
from webapp.forms import GroupsForm
from webapp.services import groups
from webapp.web import allow, go, me

bp = Blueprint("groups", __name__, url_prefix="/groups")


@bp.get("")
@allow(Permission.USERS_SEE)
def index() -> str:
    """All groups; `?new` opens the dialog."""
    return page(GroupsForm(formdata=None), is_open="new" in request.args)


@bp.post("")
@allow(Permission.USERS_MANAGE)
def create() -> BaseResponse | tuple[str, int]:
    """Add one or several."""
    form = GroupsForm()
    if not form.validate():
        return page(form, is_open=True), 422
    try:
        added = groups.add(form.wanted(), me())
    except Refused as refusal:
        form.names.errors = [str(refusal)]
        return page(form, is_open=True), 422
    said = f"{plural(len(added), 'group')} added." if len(added) > 1 else f"“{added[0].name}” added."
    return go("groups.index", say=said, back=form.next.data)


def page(form: GroupsForm, is_open: bool) -> str:
    """The list, with the dialog for new groups open or not."""
    return render_template("groups/index.html", groups=groups.counted(), form=form, is_open=is_open, examples=groups.EXAMPLES)
