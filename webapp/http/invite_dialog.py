"""The dialog that invites people, which several pages include."""

from __future__ import annotations

from typing import Any

from flask import request

from webapp.core.plan.registry import ALL_GROUPS
from webapp.core.security.permissions import Permission, describe_role
from webapp.http.forms import DirectoryForm, InviteForm, UploadForm
from webapp.http.web import current_user
from webapp.services.batches import ldap_upload
from webapp.services.directory import lookup
from webapp.services.settings import in_force

TABS = ("single", "bulk")


def dialog_context(
    tab: str | None = None,
    single_form: InviteForm | None = None,
    upload_error: Any = None,
    in_the_way: Any = None,
) -> dict[str, Any]:
    """What templates/invitations/_dialog.html needs; {} for those who may not invite."""
    if not current_user().may(Permission.INVITATIONS_MAKE):
        return {}
    asked = request.args.get("invite")
    registry = lookup.registry()
    administrators = [role.name for role in registry.roles if role.manages_people]
    if tab is None and asked in TABS:
        tab = asked
    return {
        "single_form": single_form or invite_form(is_empty=True),
        "about": {role.name: describe_role(role) for role in registry.roles},
        "administrators": administrators,
        "upload_form": UploadForm(formdata=None),
        "limits": in_force.settings(),
        "directory": ldap_upload.find_host(),
        "directory_form": directory_form(),
        "example_groups": [group.name for group in registry.groups[:2]],
        "invite_tab": tab,
        "upload_error": upload_error,
        "in_the_way": in_the_way,
    }


def directory_form() -> DirectoryForm:
    """The form that reads the directory, as it was sent if it was."""
    was_sent = "directory" in request.form
    form = DirectoryForm(formdata=request.form if was_sent else None)
    form.role.choices = [role.name for role in lookup.grantable(current_user())]
    if not was_sent:
        form.role.data = form.role.choices[-1]  # the least powerful
    return form


def invite_form(is_empty: bool = False) -> InviteForm:
    """The form for one person, with the roles that one may grant and the groups there are."""
    form = InviteForm(formdata=None) if is_empty else InviteForm()
    roles = [role.name for role in lookup.grantable(current_user())]
    groups = [group.name for group in lookup.registry().groups]
    form.role.choices = roles
    form.groups.choices = [ALL_GROUPS, *groups]
    if is_empty and roles:
        form.role.data = roles[-1]  # the least powerful
    return form
