"""The page of one user's API tokens: one's own, or those of a service account."""

from __future__ import annotations

from typing import Any

from flask import render_template
from wtforms import BooleanField, SelectField, SelectMultipleField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import MEANINGS, Permission
from webapp.core.text.formatting import to_one_line
from webapp.http.forms import ProofForm, show_errors
from webapp.http.web import Answer, current_user
from webapp.models import User
from webapp.services.accounts import tokens
from webapp.services.directory import lookup

USEFUL = (
    Permission.USERS_SEE,
    Permission.BATCHES_SEE,
    Permission.AUDIT_READ,
    Permission.INVITATIONS_MAKE,
    Permission.USERS_MANAGE,
)
"""Permissions that some route of the API takes."""
DAYS = {"30": "30 days", "90": "90 days", "365": "A year", "1095": "Three years"}
NAME = "Say what the token is for."


class TokenForm(ProofForm):
    """A new token. A program that has it needs no password: so it costs one's own to make it."""

    name = StringField(
        "Name",
        [DataRequired(NAME), Length(max=80, message="Use at most 80 characters.")],
        [to_one_line],
    )
    permissions = SelectMultipleField("It may")
    days = SelectField(
        "It works for", choices=[SelectChoice(*each) for each in DAYS.items()], default="365"
    )
    may_make_admins = BooleanField("It may also give roles that manage people")


def token_form(user: User) -> TokenForm:
    """The form for a token of this user, with the permissions that their role has."""
    form = TokenForm()
    held = [each for each in USEFUL if each in user.role.permissions]
    form.permissions.choices = [SelectChoice(each.value, MEANINGS[each].title) for each in held]
    return form


def make_token(template: str, user: User, **context: Any) -> Answer:
    """Make what the form says, and show the page with the token, this once; or the form again."""
    form = token_form(user)
    if not form.validate():
        return token_page(template, user, form, 422, **context)
    try:
        token, text = tokens.make_token(
            user,
            current_user(),
            form.name.data,
            form.permissions.data,
            int(form.days.data),
            may_make_admins=form.may_make_admins.data and can_make_admins(user),
        )
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return token_page(template, user, form, 422, **context)
    fresh = {"made": token, "text": text}
    return token_page(template, user, None, 201, **fresh, **context)


def token_page(
    template: str, user: User, form: TokenForm | None = None, status: int = 200, **context: Any
) -> Answer:
    """The page. form: with what was typed; None: a blank one."""
    if form is None:
        form = token_form(user)
        form.process(formdata=None)
    html = render_template(
        template,
        user=user,
        tokens=tokens.list_tokens(user),
        form=form,
        can_make_admins=can_make_admins(user),
        meanings=MEANINGS,
        about={MEANINGS[each].title: MEANINGS[each].text for each in USEFUL},
        **context,
    )
    return html, status


def can_make_admins(user: User) -> bool:
    """Whether this user may give a role that manages people."""
    return any(role.manages_people for role in lookup.grantable(user))
