"""Actions on people chosen in Role Management: staged as a batch, on to its review."""

from __future__ import annotations

from flask import Blueprint, request

from webapp.core.security.permissions import Permission
from webapp.http.person_menu import read_people
from webapp.http.web import Answer, current_user, redirect_to, require
from webapp.schemas.batches import ActionSchema
from webapp.services.batches import actions

bp = Blueprint("actions", __name__, url_prefix="/actions")


@bp.post("")
@require(Permission.INVITATIONS_MAKE)
def create() -> Answer:
    """Stage an action: `do`, `role`, `groups`; see `read_people`."""
    groups = request.form.getlist("groups")
    form = {**request.form, "groups": groups}
    action = ActionSchema().load(form)
    batch = actions.stage(read_people(), action, current_user())
    return redirect_to("batches.show", batch_id=batch.id)
