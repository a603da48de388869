"""One function per e-mail: plain values in, an `Email` out. No models, no app. `mime` makes bytes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from webapp.core.text.formatting import plural

TEMPLATES = Path(__file__).parents[2] / "templates" / "emails"
ALL_GROUPS = "All groups"
NAMELESS = "Muster"
"""Stands for an organisation without a name."""


@dataclass(frozen=True, slots=True)
class Email:
    """What one person is to read. to: the address as it was typed; text and html say the same."""

    to: str
    subject: str
    text: str
    html: str
    reply_to: tuple[str, str] = ("", "")
    """Name and address; blank: where replies to every e-mail go."""


def invitation(
    *,
    to: str,
    organisation: str,
    inviter: str,
    role: str,
    groups: Sequence[str] | str,
    link: str | None,
    expires_days: int,
    message: str | None = None,
    own_subject: str = "",
    words: str = "",
    reply_to: tuple[str, str] = ("", ""),
    is_reminder: bool = False,
) -> Email:
    """The invitation to an account, or the reminder of it before the link expires.

    organisation, inviter: may be blank. groups: names, or "All groups". message: the inviter's own words, on
    several lines if they like. own_subject, words: the organisation's own, in every invitation; the first sentence
    stays what it is. reply_to: name and address of who gets the replies; the e-mail tells the address. link: None for a
    test, which says so in its place. Line breaks and control characters in names become spaces, so that no name adds a
    header or a line.
    """
    said = invitation_subject(organisation, inviter)
    heading = on_one_line(own_subject) or said
    values = {
        "place": on_one_line(organisation) or NAMELESS,
        "subject": f"{said}, and you have not joined yet" if is_reminder else said,
        "role": on_one_line(role),
        "groups": groups
        if isinstance(groups, str)
        else ", ".join(on_one_line(name) for name in groups),
        "link": link,
        "validity": plural(expires_days, "day"),
        "words": _lines(words),
        "message": _lines(message or ""),
        "reply_to": on_one_line(reply_to[1]),
    }
    email = _rendered(
        "invitation",
        to,
        f"{'' if link else 'Test: '}{'Reminder: ' if is_reminder else ''}{heading}",
        values,
    )
    return replace(email, reply_to=reply_to)


def reset(*, to: str, organisation: str, link: str, validity: str) -> Email:
    """The link to choose a new password. validity: how long it works, "60 minutes"."""
    return _account(
        to,
        organisation,
        "Choose a new password",
        "Somebody asked for a new password for your account, most likely you.",
        button="Choose a new password",
        link=link,
        fine=f"This link works once, within {validity}. It is yours alone: do not pass it on.",
        unexpected="If you did not ask for it, ignore this email: your password stays as it is.",
    )


def email_change(*, to: str, organisation: str, link: str, validity: str) -> Email:
    """To the new address: the link that confirms it."""
    return _account(
        to,
        organisation,
        "Confirm your new email",
        "You asked to sign in with this address from now on. Confirm that it is yours.",
        button="Confirm this email",
        link=link,
        fine=f"This link works once, within {validity}. Until then you sign in with the old address.",
        unexpected="If you did not ask for it, ignore this email, and nothing changes.",
    )


def email_changing(*, to: str, organisation: str, at: str) -> Email:
    """To the old address: another is about to take its place."""
    said = f"On {at} somebody who was signed in as you asked to change the email of your account."
    return _account(
        to,
        organisation,
        "The email of your account is to change",
        f"{said} It changes when the new one is confirmed.",
    )


def password_changed(*, to: str, organisation: str, at: str) -> Email:
    """Tells that the password is another now."""
    said = f"The password of your account was changed on {at}, and other devices were signed out."
    return _account(to, organisation, "Your password was changed", said)


def second_factor_on(*, to: str, organisation: str, at: str) -> Email:
    """Tells that signing in asks for a code from now on."""
    said = f"On {at} two-step sign-in was turned on: from now on a code from your app is asked for, too."
    return _account(to, organisation, "Two-step sign-in is on", said)


def second_factor_off(*, to: str, organisation: str, at: str) -> Email:
    """Tells that the password is enough again."""
    return _account(
        to,
        organisation,
        "Two-step sign-in is off",
        f"On {at} two-step sign-in was turned off: your password alone signs you in.",
    )


NOT_YOU = "If this was not you, choose a new password at once and tell the people who manage users."


def _account(
    to: str,
    organisation: str,
    subject: str,
    said: str,
    *,
    button: str = "",
    link: str = "",
    fine: str = "",
    unexpected: str = NOT_YOU,
) -> Email:
    """An e-mail about the recipient's own account. button: what opening the link is for."""
    place = on_one_line(organisation) or NAMELESS
    values = {
        "place": place,
        "subject": subject,
        "said": said,
        "button": button,
        "link": link,
        "fine": fine,
    }
    return _rendered("account", to, f"{subject}: {place}", {**values, "unexpected": unexpected})


def _rendered(template: str, to: str, subject: str, values: dict[str, Any]) -> Email:
    text, html = (
        _templates().get_template(f"{template}.{kind}").render(values, to=to)
        for kind in ("txt", "html")
    )
    return Email(to, subject, text, html)


def invitation_subject(organisation: str, inviter: str) -> str:
    """\"Maren Okafor invited you to Northfield Academy": the Subject, and the first sentence."""
    who = f"{on_one_line(inviter)} invited you" if on_one_line(inviter) else "You are invited"
    return f"{who} to {on_one_line(organisation) or NAMELESS}"


def _lines(text: str) -> list[str]:
    return [on_one_line(line) for line in text.strip().splitlines()]


def on_one_line(text: str) -> str:
    """On one line, without control characters and those that turn the reading direction."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
