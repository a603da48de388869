"""Service accounts: made and removed, and their API tokens."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, Length, Regexp

from webapp.core.errors import RuleViolationError
from webapp.core.security.permissions import Permission
from webapp.core.text.formatting import to_one_line
from webapp.http.forms import show_errors
from webapp.http.questions import ask
from webapp.http.token_page import make_token, token_page
from webapp.http.web import Answer, current_user, redirect_to, require
from webapp.services.accounts import service_accounts, tokens
from webapp.services.directory import lookup

bp = Blueprint("service_accounts", __name__, url_prefix="/settings/service-accounts")

PAGE = "accounts/service_accounts/show.html"
TRAIL = (("Account Settings", "settings.index"), ("Service accounts", "service_accounts.index"))


class AccountForm(FlaskForm):  # type: ignore[misc]
    """A new service account."""

    name = StringField(
        "Name",
        [
            DataRequired("Type a name."),
            Length(max=80, message="Use at most 80 characters."),
            Regexp(r"[^@]*\Z", message="Use no @: it is a program, not a person with an email."),
        ],
        [to_one_line],
    )
    role = SelectField("Role", coerce=int)


def account_form() -> AccountForm:
    """The form, with the roles that one may give."""
    form = AccountForm()
    roles = lookup.grantable(current_user())
    form.role.choices = [SelectChoice(role.id, role.name) for role in roles]
    return form


@bp.get("")
@require(Permission.ORGANISATION_MANAGE)
def index() -> Answer:
    """All service accounts, and the form for another."""
    return page(account_form())


@bp.post("")
@require(Permission.ORGANISATION_MANAGE)
def create() -> Answer:
    """Make a service account, and on to its tokens."""
    form = account_form()
    if not form.validate():
        return page(form, 422)
    try:
        account = service_accounts.create(form.name.data, form.role.data, current_user())
    except RuleViolationError as refusal:
        show_errors(form, refusal)
        return page(form, 422)
    said = f"“{account.name}” is added. Make a token for it."
    return redirect_to("service_accounts.show", account_id=account.id, say=said)


def page(form: AccountForm, status: int = 200) -> Answer:
    """The page of all service accounts."""
    html = render_template(
        "accounts/service_accounts/index.html",
        accounts=service_accounts.list_accounts(),
        counts=service_accounts.count_tokens(),
        form=form,
    )
    return html, status


@bp.get("/<int:account_id>")
@require(Permission.ORGANISATION_MANAGE)
def show(account_id: int) -> Answer:
    """The tokens of a service account, and the form for another."""
    return token_page(PAGE, service_accounts.get_account(account_id))


@bp.post("/<int:account_id>/tokens")
@require(Permission.ORGANISATION_MANAGE)
def create_token(account_id: int) -> Answer:
    """Make a token for it; the answer shows it, this once."""
    return make_token(PAGE, service_accounts.get_account(account_id))


@bp.get("/<int:account_id>/tokens/<int:token_id>/revocation")
@bp.post("/<int:account_id>/tokens/<int:token_id>/revocation")
@require(Permission.ORGANISATION_MANAGE)
def revoke_token(account_id: int, token_id: int) -> Answer:
    """The question before a token is revoked; a POST revokes it."""
    account = service_accounts.get_account(account_id)
    if request.method == "POST":
        name = tokens.revoke(token_id, account, current_user())
        said = f"“{name}” is revoked."
        return redirect_to("service_accounts.show", account_id=account_id, say=said)
    token = tokens.get_token(token_id, account)
    return ask(
        asks=f"Revoke “{token.name}”?",
        tells="A program that uses it is refused at once. It cannot be brought back.",
        does="Revoke",
        keeps="Keep it",
        home=url_for("service_accounts.show", account_id=account_id),
        trail=TRAIL,
    )


@bp.get("/<int:account_id>/removal")
@bp.post("/<int:account_id>/removal")
@require(Permission.ORGANISATION_MANAGE)
def remove(account_id: int) -> Answer:
    """The question before a service account is removed; a POST removes it."""
    if request.method == "POST":
        name = service_accounts.remove(account_id, current_user())
        return redirect_to("service_accounts.index", say=f"“{name}” is removed.")
    account = service_accounts.get_account(account_id)
    return ask(
        asks=f"Remove “{account.name}”?",
        tells="Its tokens stop working at once. What it did stays, under its name.",
        does="Remove",
        keeps="Keep it",
        home=url_for("service_accounts.show", account_id=account_id),
        trail=TRAIL,
    )
