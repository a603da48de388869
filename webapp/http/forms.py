"""Forms: their fields, labels and sentences, and the rules of single fields. Rows are judged by `webapp.schemas`."""

from __future__ import annotations

from typing import Any

from flask import g, render_template
from flask_wtf import FlaskForm
from wtforms import (
    EmailField,
    Field,
    FileField,
    Form,
    HiddenField,
    PasswordField,
    SelectChoice,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, Optional, Regexp

from webapp.core.addresses import LONGEST_NAME, Address, InvalidAddressError, parse
from webapp.core.errors import RuleViolationError
from webapp.core.files.cleaning import clean
from webapp.core.security.permissions import GIVABLE, OWNER_RANK
from webapp.core.text import row_phrases, webhook_phrases
from webapp.core.text.formatting import to_one_line
from webapp.http.auth import check_password, proves_elsewhere
from webapp.http.web import Answer
from webapp.schemas import passwords
from webapp.services.settings import in_force
from webapp.settings.parsers import list_zones

ANY_NAME = r"[\s,]*[^\s,]"
NO_NAME = "Type the name of a group, or several with commas between them."
LONG_PHRASES = {
    "email_domain_incomplete": "The domain is incomplete: add the part after the dot, as in name@example.org.",
}
RANKS = [str(rank) for rank in range(1, OWNER_RANK)]
"""What a role may have: below the Owner's."""


def new_password(form: Form, field: Field) -> None:
    """A validator for a new password; it must not be made of the form's name, e-mail or organisation."""
    names = [in_force.organisation_name()]
    for each in form:
        if each.name in ("name", "email", "organisation"):
            names += filter(None, [each.object_data, each.data])
    if problem := passwords.find_problem(field.data or "", *names):
        raise ValidationError(problem)


def own_password(_form: Form, field: Field) -> None:
    """A validator for the password that the signed-in person has now, or what takes its place."""
    if not field.data and not proves_elsewhere():
        raise ValidationError("Type your current password.")
    try:
        check_password(field.data)
    except RuleViolationError as refusal:
        raise ValidationError(str(refusal)) from refusal


def line_field(label: str, sentence: str, most: int = LONGEST_NAME) -> StringField:
    """A required field for a name. sentence: what to say if it is blank."""
    is_short = Length(max=most, message=f"Use at most {most} characters.")
    return StringField(label, [DataRequired(sentence), is_short], [to_one_line])


def parse_address(text: str | None, *domains: str) -> Address:
    """The address of a typed e-mail. domains: always valid, like allowed ones. Raises wtforms' ValidationError."""
    try:
        allowed = (*in_force.settings().allowed_domains, *domains)
        return parse((text or "").strip(), allowed)
    except InvalidAddressError as error:
        raise ValidationError(_describe({"code": error.code})) from error


def form_page(template: str, form: FlaskForm, **context: Any) -> Answer:
    """The page of a form; 422 where it was sent and something in it is wrong."""
    html = render_template(template, form=form, **context)
    return html, 422 if form.is_submitted() else 200


def show_errors(form: Form, refusal: RuleViolationError) -> None:
    """Put the sentence of a refused command under its field, and nothing elsewhere."""
    for field in form:
        field.errors = [str(refusal)] if field.name == refusal.field else []


def show_issues(form: Form, issues: list[dict[str, Any]]) -> None:
    """Put each issue of a row under its field, and nothing else there."""
    for field in form:
        field.errors = []
        for issue in issues:
            if issue["field"] == field.name:
                field.errors.append(_describe(issue))


def _describe(issue: dict[str, Any]) -> str:
    """The sentence for an issue; under a field there is more room than under a cell."""
    if issue["code"] == "proof" and proves_elsewhere():
        return f"Confirm with {in_force.environment().oidc_name} first: this person becomes {issue['role']}."
    return LONG_PHRASES.get(issue["code"]) or row_phrases.describe(issue)


class ForgottenForm(FlaskForm):  # type: ignore[misc]
    """A forgotten password."""

    email = EmailField("Email", [DataRequired("Type your email.")])


class SignInForm(ForgottenForm):
    """The first step of signing in. next: a path of ours to go on to."""

    password = PasswordField("Password", [InputRequired("Type your password.")])
    next = HiddenField()


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The second step of signing in."""

    code = StringField("Code", [DataRequired("Type the code.")])


class ProofForm(FlaskForm):  # type: ignore[misc]
    """One's own password, before something that cannot be undone."""

    current = PasswordField("Current password", [own_password], render_kw={"required": True})


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    """A new password. obj: whose it becomes; it must not be made of their name and e-mail."""

    email = HiddenField()
    name = HiddenField()
    password = PasswordField("New password", [InputRequired("Choose a password."), new_password])


class OwnPasswordForm(NewPasswordForm, ProofForm):
    """A new password for oneself, with the current one."""


class OwnerLinkForm(NewPasswordForm):
    """A new password for a locked-out Owner, if they want one."""

    password = PasswordField("New password", [Optional(strip_whitespace=False), new_password])


class OwnNameForm(FlaskForm):  # type: ignore[misc]
    """One's own name."""

    name = line_field("Full name", "Type your name.")


class OwnEmailForm(ProofForm):
    """A new e-mail for oneself, with the password. `address`: the parsed e-mail."""

    email = EmailField("New email", [DataRequired("Type your new email.")])

    address: Address

    def validate_email(self, field: Field) -> None:
        """Set `address`. The own domain and allowed domains always pass."""
        self.address = parse_address(field.data, g.user.email_key.rpartition("@")[2])
        if self.address.key == g.user.email_key:
            raise ValidationError("This is your email already.")


class SecondFactorForm(CodeForm, ProofForm):
    """A code and the password, to change how one signs in."""


class AcceptForm(FlaskForm):  # type: ignore[misc]
    """Name and password of an invited person. `email` is set by the view, for the password's rules."""

    name = line_field("Full name", "Type your name.")
    email = HiddenField()
    password = PasswordField("Password", [InputRequired("Choose a password."), new_password])


class SetupForm(AcceptForm):
    """The organisation's name and the Owner."""

    organisation = line_field("Organisation", "Type your organisation’s name.", 120)
    email = EmailField("Email", [DataRequired("Type your email.")])

    time_zone = SelectField(
        "Time zone",
        choices=lambda: list_zones(_own_zone()).items(),
        default=lambda: _own_zone(),
    )

    address: Address

    def validate_email(self, field: Field) -> None:
        """Set `address`."""
        self.address = parse_address(field.data)


def _own_zone() -> str:
    return in_force.environment().text("TIME_ZONE")


class GroupForm(FlaskForm):  # type: ignore[misc]
    """A group's name, which is judged when it is saved, and its description."""

    name = StringField("Group name", filters=[to_one_line])
    description = StringField(
        "Description",
        validators=[Length(max=200, message="Use at most 200 characters.")],
        filters=[to_one_line],
    )


class GroupsForm(GroupForm):
    """New groups. next: a path of ours to go back to."""

    name = None
    names = TextAreaField(
        "Group names",
        validators=[Regexp(ANY_NAME, message=NO_NAME)],
    )
    next = HiddenField()

    def split_names(self) -> list[str]:
        """The names, one per line or between commas."""
        lines = self.names.data.replace(",", "\n").splitlines()
        return [name for name in lines if name.strip()]


class RoleForm(FlaskForm):  # type: ignore[misc]
    """A role; its name is judged when it is saved."""

    name = StringField("Name", filters=[to_one_line])
    description = TextAreaField(
        "Description",
        [Length(max=200, message="Use at most 200 characters.")],
        [to_one_line],
    )
    rank = StringField("Rank", validators=[AnyOf(RANKS, "A rank is a number from 1 to 99.")])
    permissions = SelectMultipleField(
        "Permissions", choices=[permission.value for permission in GIVABLE]
    )


class ReaddressForm(FlaskForm):  # type: ignore[misc]
    """Another address for an invitation. next: a path of ours to go on to."""

    email = EmailField("Email", [DataRequired("Type the email.")])
    password = PasswordField("Your password")
    next = HiddenField()


class InviteForm(FlaskForm):  # type: ignore[misc]
    """One person; the values are judged by the schema of a row, whose issues `show_issues` puts under the fields."""

    email = StringField("Email")
    name = StringField("Name", filters=[to_one_line])
    role = SelectField("Role", validate_choice=False)
    groups = SelectMultipleField("Device groups", validate_choice=False)
    password = PasswordField("Your password")

    def cells(self) -> dict[str, str]:
        """What was typed, as the cells of a row."""
        return {
            "email": clean(self.email.data or ""),
            "name": clean(self.name.data),
            "role": self.role.data or "",
            "groups": ", ".join(self.groups.data or []),
        }


class DirectoryForm(FlaskForm):  # type: ignore[misc]
    """The organisation's directory as an upload: the role that its people get, and which of them."""

    role = SelectField("Role", validate_choice=False)
    group = StringField("Only the members of", filters=[to_one_line])


class WebhookForm(FlaskForm):  # type: ignore[misc]
    """An endpoint of webhooks; its address is judged when it is saved."""

    url = StringField(
        "Address",
        validators=[DataRequired("Type an address, such as https://mdm.example.org/muster.")],
        filters=[to_one_line],
    )
    types = SelectMultipleField(
        "What it is told",
        validators=[DataRequired("Choose at least one.")],
        choices=[SelectChoice(*each) for each in webhook_phrases.TITLES.items()],
    )


class UploadForm(FlaskForm):  # type: ignore[misc]
    """A file of people."""

    file = FileField("Browse Files")
