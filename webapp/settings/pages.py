"""The settings pages: which settings each has, with labels and hints. Their meaning: `webapp.settings.settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NAME = "NAME"
"""The organisation's name: kept by itself, and never set by the environment."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One setting as a page asks for it. unit: of a number; is_long: several lines."""

    name: str
    label: str
    hint: str = ""
    unit: str = ""
    is_long: bool = False
    choices: Mapping[str, str] | None = None
    """Value -> what it is called."""
    units: Mapping[str, str] | None = None
    """Of a length of time: the letter that stands for each."""


@dataclass(frozen=True, slots=True)
class Section:
    """One page. text: what is on it, for the index."""

    title: str
    text: str
    icon: str
    asked: tuple[Asked, ...]

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.asked]


MODES = {
    "replace": "Replace a user’s groups",
    "add": "Add to a user’s groups",
    "remove": "Remove from a user’s groups",
}
REQUIRED_OF = {"off": "No one", "managers": "People who manage users", "everyone": "Everyone"}

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
REPLY_TO = {"no": "The address above", "yes": "The person who confirmed it"}

SECTIONS = {
    "sign-in": Section(
        "Sign-in",
        "Sessions and two-step sign-in",
        "user",
        (
            Asked(
                "REQUIRE_TOTP",
                "Two-step sign-in is required of",
                "Takes effect at once, for you too: people without it set it up before their next page.",
                choices=REQUIRED_OF,
            ),
            Asked(
                "SESSION_IDLE",
                "Sign out after inactivity",
                "So long without opening or changing anything.",
                units=UNITS,
            ),
            Asked(
                "SESSION_MAX",
                "Sign out in any case after",
                "Also who is at work just then.",
                units=UNITS,
            ),
        ),
    ),
    "email": Section(
        "Email",
        "Sender, invitation text and a test message",
        "mail",
        (
            Asked(
                "MAIL_FROM",
                "Sender",
                "Muster <muster@example.org>, or an address alone. The mail server has to let it pass.",
            ),
            Asked(
                "MAIL_REPLY_TO",
                "Replies go to",
                "An address that is read, such as IT help <help@example.org>. Blank: the sender.",
            ),
            Asked(
                "MAIL_REPLY_TO_INVITER",
                "Replies to an invitation go to",
                "The invitation names the address. If that person has left, it is the one above.",
                choices=REPLY_TO,
            ),
            Asked(
                "INVITE_SUBJECT",
                "Subject of invitations",
                "Blank: “Maren Okafor invited you to …”, with who invites.",
            ),
            Asked(
                "INVITE_MESSAGE",
                "Words in every invitation",
                "Plain text, shown as you type it, before the personal message of an upload.",
                is_long=True,
            ),
            Asked(
                "INVITE_DAYS",
                "Invitations work for",
                "From the moment the email is handed over. An upload may say otherwise.",
                unit="days",
            ),
            Asked(
                "REMINDER_DAYS",
                "A reminder goes out before the link expires",
                "Days before expiry; sent once. 0 turns reminders off.",
                unit="days",
            ),
        ),
    ),
    "uploads": Section(
        "CSV uploads",
        "Limits, email domains and what happens to groups",
        "file-spreadsheet",
        (
            Asked("MAX_ROWS", "Users in a file, at most", "From 1 to 50,000.", unit="users"),
            Asked(
                "ALLOWED_DOMAINS",
                "Email domains",
                "With commas between them. New invitations go to these alone; blank lets any in.",
            ),
            Asked(
                "UPLOAD_MODE",
                "Groups of people who are here already",
                "What a new upload begins with; its review may say otherwise.",
                choices=MODES,
            ),
        ),
    ),
    "general": Section(
        "General",
        "Name, time zone and the link on the first page",
        "building-2",
        (
            Asked(NAME, "Organisation", "In the sidebar, and in every email."),
            Asked("TIME_ZONE", "Time zone", "In which times are shown, such as Europe/Berlin."),
            Asked(
                "CONTINUE_URL",
                "Link on the first page",
                "Where people go on to once they have joined, such as https://intranet.example.org. Blank: no link.",
            ),
            Asked(
                "CONTINUE_NAME",
                "What the link leads to",
                "“Continue to …”, such as Hillcrest Intranet. Blank: the address.",
            ),
        ),
    ),
    "data": Section(
        "Data",
        "How long things are kept",
        "hard-drive",
        (
            Asked(
                "RETENTION_DAYS",
                "Rows, files and sent email are kept for",
                "After an upload ended, or an email went. What is older is deleted once a day, for good. 0 keeps everything.",
                unit="days",
            ),
            Asked(
                "AUDIT_DAYS",
                "The audit log is kept for",
                "At least 30 days. What is older is deleted once a day, for good. 0 keeps everything.",
                unit="days",
            ),
        ),
    ),
}
"""By the last part of their address."""
