"""Plain values in, an `Email` out. No models, no app. `mime` makes bytes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from webapp.core.text.formatting import plural
from webapp.layout import TOP

TEMPLATES = TOP / "templates" / "emails"
NAMELESS = "Muster"
"""Stands for an organisation without a name."""


@dataclass(frozen=True, slots=True)
class Email:
    """What one person is to read. to: the address as it was typed; text and html say the same. name: the person's, or ""."""

    to: str
    subject: str
    text: str
    html: str
    name: str = ""
    reply_to: tuple[str, str] = ("", "")
    """Name and address; blank: where replies to every e-mail go."""


def invitation(
    *,
    to: str,
    name: str = "",
    organisation: str,
    inviter: str,
    role: str,
    groups: Sequence[str],
    link: str | None,
    expires_days: int,
    message: str = "",
    own_subject: str = "",
    words: str = "",
    reply_to: tuple[str, str] = ("", ""),
    is_reminder: bool = False,
    elsewhere: str = "",
    is_only_elsewhere: bool = False,
) -> Email:
    """The invitation to an account, or the reminder of it before the link expires.

    name, organisation, inviter: may be blank. groups: names. message: the inviter's own words, on
    several lines if they like. own_subject, words: the organisation's own, in every invitation; the first sentence
    stays what it is. reply_to: name and address of who gets the replies; the e-mail tells the address. link: None for a
    test, which says so in its place. elsewhere: the account that people have already and can join with, or only with.
    """
    place = organisation.strip() or NAMELESS
    said = f"{inviter} invited you to {place}" if inviter else f"You are invited to {place}"
    heading = own_subject.strip() or said
    if is_reminder:
        heading = f"Reminder: {heading}"
        said += ", and you have not joined yet"
    if not link:
        heading = f"Test: {heading}"
    values = {
        "name": name,
        "place": place,
        "subject": said,
        "role": role,
        "groups": ", ".join(groups),
        "link": link,
        "validity": plural(expires_days, "day"),
        "words": words.strip().splitlines(),
        "message": message.strip().splitlines(),
        "reply_to": reply_to[1],
        "how": describe_joining(elsewhere, is_only_elsewhere),
    }
    email = _render("invitation", to, heading, values, reply_to)
    # a test goes to somebody else
    return replace(email, name=name) if link else email


def describe_joining(elsewhere: str, is_only_elsewhere: bool) -> str:
    """What to do to join, without the end of the sentence."""
    if is_only_elsewhere:
        return f"Continue with {elsewhere}"
    if elsewhere:
        return f"Continue with {elsewhere}, or choose a name and a password"
    return "Choose a name and a password"


NOT_YOU = "If this was not you, choose a new password at once and tell the people who manage users."


class AccountText(NamedTuple):
    """An e-mail about the recipient's own account. Parameters are in braces. button: what opening the link is for."""

    subject: str
    said: str
    button: str = ""
    fine: str = ""
    unexpected: str = NOT_YOU


ACCOUNT_TEXTS = {
    "reset": AccountText(
        "Choose a new password",
        "Somebody asked for a new password for your account, most likely you.",
        button="Choose a new password",
        fine="This link works once, within {validity}. It is yours alone: do not pass it on.",
        unexpected="If you did not ask for it, ignore this email: your password stays as it is.",
    ),
    "elsewhere": AccountText(
        "How you sign in",
        "Somebody asked for a new password for your account, most likely you. "
        "You have none here: you sign in with {door}.",
        unexpected="If you did not ask for it, ignore this email: nothing changed.",
    ),
    "email_change": AccountText(
        "Confirm your new email",
        "You asked to sign in with this address from now on. Confirm that it is yours.",
        button="Confirm this email",
        fine="This link works once, within {validity}. Until then you sign in with the old address.",
        unexpected="If you did not ask for it, ignore this email, and nothing changes.",
    ),
    "email_changing": AccountText(
        "The email of your account is to change",
        "On {at} somebody who was signed in as you asked to change the email of your account. "
        "It changes when the new one is confirmed.",
    ),
    "password_changed": AccountText(
        "Your password was changed",
        "The password of your account was changed on {at}, and other devices were signed out.",
    ),
    "second_factor_on": AccountText(
        "Two-step sign-in is on",
        "On {at} two-step sign-in was turned on: from now on a code from your app is asked for, too.",
    ),
    "second_factor_off": AccountText(
        "Two-step sign-in is off",
        "On {at} two-step sign-in was turned off: your password alone signs you in.",
    ),
}
"""By the kind of the message."""


def account(
    kind: str,
    *,
    to: str,
    organisation: str,
    link: str = "",
    reply_to: tuple[str, str] = ("", ""),
    **params: str,
) -> Email:
    """An e-mail about an account. params: `validity` (how long the link works), `at` (when it happened), `door`."""
    said = ACCOUNT_TEXTS[kind]._asdict()
    values = {name: text.format(**params) for name, text in said.items()}
    values["place"] = organisation.strip() or NAMELESS
    values["link"] = link
    return _render("account", to, f"{values['subject']}: {values['place']}", values, reply_to)


def _render(
    template: str, to: str, subject: str, values: dict[str, Any], reply_to: tuple[str, str]
) -> Email:
    text, html = (
        _templates().get_template(f"{template}.{kind}").render(values, to=to)
        for kind in ("txt", "html")
    )
    return Email(to, on_one_line(subject), text, html, reply_to=reply_to)


def on_one_line(text: str) -> str:
    """On one line, without control characters and those that turn the reading direction.

    Every subject and every value in a template becomes so: no name adds a header or a line.
    """
    if not text.isprintable():  # nearly all are: 0.1 ms an e-mail
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        finalize=on_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
