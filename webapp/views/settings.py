"""Account Settings."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, render_template

from webapp.config import Settings
from webapp.core.people import Status
from webapp.core.permissions import Permission
from webapp.core.words import plural
from webapp.services import directory, groups, roles, users
from webapp.web import SIGNED_IN, allow, me

bp = Blueprint("settings", __name__, url_prefix="/settings")


REQUIRED_OF = {"off": "Nobody", "managers": "People who manage users", "everyone": "Everyone"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A setting as the page shows it. given: set by the environment, else the default."""

    name: str
    label: str
    value: str
    given: bool


@bp.get("")
@allow(SIGNED_IN)
def index() -> str:
    """Where settings are, one's own part, and for the Owner what the environment sets."""
    sees = me().may(Permission.USERS_SEE)
    return render_template(
        "settings/index.html",
        people=people() if sees else "",
        groups=plural(len(groups.counted()), "group") if sees else "",
        roles=plural(len(roles.counted()), "role") if sees else "",
        installation=installation(directory.settings()) if me().may(Permission.ORGANISATION_MANAGE) else [],
    )


def people() -> str:
    """ "163 users, 14 invited, 4 expired"."""
    counts = users.counts()
    parts = [plural(counts[Status.ACTIVE] + counts[Status.DEACTIVATED], "user")]
    parts += [f"{counts[status]:,} {status.value}" for status in (Status.INVITED, Status.EXPIRED) if counts[status]]
    return ", ".join(parts)


def installation(settings: Settings) -> list[Shown]:
    """What the environment sets, without anything secret."""
    days = settings.session_max.total_seconds() / 86400
    hours = settings.session_idle.total_seconds() / 3600
    rows = {
        "PUBLIC_URL": ("Address", settings.public_url),
        "MAIL_URL": ("Email server", mail_server(settings)),
        "MAIL_FROM": ("Sender", settings.mail_from),
        "MAIL_RATE": ("Sending speed", f"{plural(settings.mail_rate, 'message')} a minute"),
        "INVITE_DAYS": ("Invitations work for", plural(settings.invite_days, "day")),
        "ALLOWED_DOMAINS": ("Email domains", ", ".join(settings.allowed_domains) or "Any"),
        "MAX_ROWS": ("Users in a file", f"At most {settings.max_rows:,}"),
        "MAX_UPLOAD_MB": ("Size of a file", f"At most {settings.max_upload_mb} MB"),
        "SESSION_IDLE": ("Signed out after", f"{hours:g} hours without a click" if hours != 1 else "1 hour without a click"),
        "SESSION_MAX": ("Signed out at the latest after", f"{days:g} days" if days != 1 else "1 day"),
        "REQUIRE_TOTP": ("Two-step sign-in required of", REQUIRED_OF[settings.require_totp]),
        "TIME_ZONE": ("Time zone", settings.time_zone.key),
        "DATABASE_URL": ("Database", "PostgreSQL" if settings.database_url.startswith("postgresql") else "SQLite"),
        "REDIS_URL": ("Queue server", queue_server(settings)),
        "WORKERS": ("Workers", str(settings.workers)),
    }  # fmt: skip
    return [Shown(f"MUSTER_{name}", label, value, name in settings.given) for name, (label, value) in rows.items()]


def mail_server(settings: Settings) -> str:
    """The mail server's host, or where the messages are kept."""
    if not settings.mail_url:
        return "None: messages are kept as .eml files, under Outgoing mail"
    return urlsplit(settings.mail_url).hostname or ""


def queue_server(settings: Settings) -> str:
    """The queue server's host, or that it is Muster's own."""
    if settings.embedded_queue:
        return "Muster’s own"
    return urlsplit(settings.redis_url).hostname or "On this machine"
