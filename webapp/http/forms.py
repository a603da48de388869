"""Forms: their fields, labels and sentences. Rules about values live in `webapp.schemas`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from flask import g
from flask_wtf import FlaskForm
from marshmallow import ValidationError as BadValues
from wtforms import (
    EmailField,
    Field,
    FileField,
    Form,
    HiddenField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, Optional, StopValidation

from webapp.core.addresses import Address, InvalidAddressError, parse
from webapp.core.errors import RuleViolationError
from webapp.core.files.cleaning import clean
from webapp.core.security.permissions import GIVABLE
from webapp.core.text import row_phrases
from webapp.http.auth import check_password
from webapp.schemas import passwords
from webapp.services.settings import in_force


def to_one_line(text: str | None) -> str:
    """A typed name on one line, with single spaces and without control characters."""
    return "".join(c for c in " ".join((text or "").split()) if c.isprintable())


def require_text(sentence: str) -> Callable[[Form, Field], None]:
    """A validator: spaces alone are no text. It marks the control as required."""

    def check(_form: Form, field: Field) -> None:
        if not (field.data or "").strip():
            raise StopValidation(sentence)

    check.field_flags = {"required": True}  # type: ignore[attr-defined]
    return check


def new_password(form: Form, field: Field) -> None:
    """A validator for a new password; it must not be made of the form's name, e-mail or organisation."""
    own = {
        name: form[name].data or "" for name in ("name", "email", "organisation") if name in form
    }
    own["organisation"] = own.get("organisation") or in_force.organisation_name()
    if problems := passwords.problems(field.data or "", **own):
        raise ValidationError(" ".join(problems))


def own_password(label: str = "Current password") -> PasswordField:
    """The field for the password that the signed-in person has now."""
    is_typed = InputRequired("Type your current password.")
    return PasswordField(label, validators=[is_typed, _is_own])


def _is_own(_form: Form, field: Field) -> None:
    try:
        check_password(field.data, "Nothing was changed.")
    except RuleViolationError as refusal:
        raise ValidationError(str(refusal)) from refusal


def organisation_name() -> StringField:
    """The field for the organisation's name."""
    rules = [
        require_text("Type your organisation’s name."),
        Length(max=120, message="Use at most 120 characters."),
    ]
    return StringField("Organisation", validators=rules, filters=[to_one_line])


def own_name(**attributes: Any) -> StringField:
    """The field for a person's own name."""
    limit = Length(max=120, message="Use at most 120 characters.")
    return StringField(
        "Full name",
        validators=[require_text("Type your name."), limit],
        filters=[to_one_line],
        render_kw=attributes,
    )


def show_errors(form: Form, error: BadValues | RuleViolationError) -> None:
    """Put the sentences of a schema or a command under their fields."""
    found = (
        error.messages_dict
        if isinstance(error, BadValues)
        else {error.field: str(error).splitlines()}
    )
    for field in form:
        sentences = found.get(field.name, [])
        if isinstance(sentences, dict):  # of a list: by place
            sentences = [sentence for those in sentences.values() for sentence in those]
        field.errors = list(dict.fromkeys(sentences))


class SignInForm(FlaskForm):  # type: ignore[misc]
    """The first step of signing in. next: a path of ours to go on to."""

    email = EmailField("Email", validators=[require_text("Type your email.")])
    password = PasswordField("Password", validators=[InputRequired("Type your password.")])
    next = HiddenField()


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The second step of signing in."""

    code = StringField("Code", validators=[require_text("Type the code.")])


class ForgottenForm(FlaskForm):  # type: ignore[misc]
    """A forgotten password."""

    email = EmailField("Email", validators=[require_text("Type your email.")])


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password; `of` sets the name and e-mail that it must not be made of."""

    email = HiddenField()
    name = HiddenField()
    password = PasswordField(
        "New password", validators=[InputRequired("Choose a password."), new_password]
    )

    def of(self, name: str, email: str) -> Self:
        """Set whose password it becomes, whatever the form says."""
        self.name.data, self.email.data = name, email
        return self


class OwnPasswordForm(NewPasswordForm):
    """A new password for oneself, with the current one."""

    current = own_password()


class OwnerLinkForm(NewPasswordForm):
    """A new password for a locked-out Owner, if they want one."""

    password = PasswordField(
        "New password", validators=[Optional(strip_whitespace=False), new_password]
    )


class OwnNameForm(FlaskForm):  # type: ignore[misc]
    """One's own name."""

    name = own_name(autocomplete="name")


class OwnEmailForm(FlaskForm):  # type: ignore[misc]
    """A new e-mail for oneself, with the password. `address`: the parsed e-mail."""

    email = EmailField("New email", validators=[require_text("Type your new email.")])
    current = own_password()

    address: Address

    def validate_email(self, field: Field) -> None:
        """Set `address`. The own domain and allowed domains always pass."""
        settings, own = in_force.settings(), g.user.email_key.rpartition("@")[2]
        try:
            self.address = parse((field.data or "").strip(), (*settings.allowed_domains, own))
        except InvalidAddressError as error:
            raise ValidationError(row_phrases.describe({"code": error.code})) from error


class SecondFactorForm(CodeForm):
    """A code and the password, to change how one signs in."""

    current = own_password()


class ProofForm(FlaskForm):  # type: ignore[misc]
    """One's own password, before something that cannot be undone."""

    current = own_password("Your password")


class SetupForm(FlaskForm):  # type: ignore[misc]
    """The organisation's name and the Owner."""

    organisation = organisation_name()
    name = own_name()
    email = EmailField("Email", validators=[require_text("Type your email.")])
    password = PasswordField(
        "Password", validators=[InputRequired("Choose a password."), new_password]
    )

    address: Address

    def validate_email(self, field: Field) -> None:
        """Set `address`."""
        try:
            self.address = parse((field.data or "").strip(), in_force.settings().allowed_domains)
        except InvalidAddressError as error:
            raise ValidationError(row_phrases.describe({"code": error.code})) from error


class OrganisationForm(FlaskForm):  # type: ignore[misc]
    """The organisation's name, among its settings."""

    NAME = organisation_name()


class GroupsForm(FlaskForm):  # type: ignore[misc]
    """New groups. next: a path of ours to go back to."""

    names = TextAreaField(
        "Group names",
        validators=[require_text("Type the name of a group, or several with commas between them.")],
    )
    description = StringField("Description")
    next = HiddenField()

    def split_names(self) -> list[str]:
        """The names, one per line or between commas."""
        lines = (self.names.data or "").replace(",", "\n").splitlines()
        return [name.strip() for name in lines if name.strip()]


class GroupForm(FlaskForm):  # type: ignore[misc]
    """A group's name and description; judged by `schemas.groups`."""

    name = StringField("Group name")
    description = StringField("Description")


class RoleForm(FlaskForm):  # type: ignore[misc]
    """A role; judged by `schemas.roles`."""

    name = StringField("Name")
    rank = StringField("Rank")
    permissions = SelectMultipleField(
        "Permissions", validate_choice=False, choices=[each.value for each in GIVABLE]
    )

    def values(self) -> dict[str, Any]:
        """What was typed and ticked."""
        return {
            "name": self.name.data,
            "rank": (self.rank.data or "").strip(),
            "permissions": self.permissions.data or [],
        }


class ReaddressForm(FlaskForm):  # type: ignore[misc]
    """Another address for an invitation. next: a path of ours to go on to."""

    email = EmailField("Email", validators=[require_text("Type the email.")])
    password = PasswordField("Your password")
    next = HiddenField()


class InviteForm(FlaskForm):  # type: ignore[misc]
    """One person; the values are judged by the schema of a row, whose issues `blame` puts under the fields."""

    email = StringField("Email")
    role = SelectField("Role", validate_choice=False)
    groups = SelectMultipleField("Device groups", validate_choice=False)
    password = PasswordField("Your password")

    def cells(self) -> dict[str, str]:
        """What was typed, as the cells of a row."""
        return {
            "email": clean(self.email.data or ""),
            "role": self.role.data or "",
            "groups": ", ".join(self.groups.data or []),
        }

    def blame(self, issues: list[dict[str, Any]]) -> None:
        """Put each issue under its field, and nothing else there."""
        for field in (self.email, self.role, self.groups, self.password):
            field.errors = [
                row_phrases.describe(issue) for issue in issues if issue["field"] == field.name
            ]


class UploadForm(FlaskForm):  # type: ignore[misc]
    """A file of people."""

    file = FileField("Browse Files")


class AcceptForm(FlaskForm):  # type: ignore[misc]
    """Name and password of an invited person. `email` is set by the view, for the password's rules."""

    name = own_name(autocomplete="name")
    email = HiddenField()
    password = PasswordField(
        "Password", validators=[InputRequired("Choose a password."), new_password]
    )
