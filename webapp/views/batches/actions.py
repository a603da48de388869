"""Actions on people chosen in Role Management: staged as a batch, on to its review."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug.wrappers import Response as BaseResponse

from webapp.core.lists.people_filter import Filter
from webapp.core.security.permissions import Permission
from webapp.http.web import current_user, redirect_to, require
from webapp.schemas.actions import ActionSchema, read_people
from webapp.services.batches import actions

bp = Blueprint("actions", __name__, url_prefix="/actions")


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create() -> BaseResponse:
    """Stage an action: `do`, `role`, `groups`; `people` ("user-12,invitation-5"), or `all` and the list's filter in the query."""
    action = ActionSchema().load({**request.form, "groups": request.form.getlist("groups")})
    people = (
        Filter.parse(request.args)
        if request.form.get("all")
        else read_people(request.form.get("people", ""))
    )
    batch = actions.stage(people, action, current_user())
    return redirect_to("batches.show", batch_id=batch.id)
