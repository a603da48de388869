"""Why somebody does not get in by an account elsewhere, in words."""

from __future__ import annotations

from webapp.core.text.formatting import capital

_CONNECT = (
    "Sign in another way, open Your account and connect {name} there. Then it signs you in, too."
)
REFUSALS = {
    "no_email": "{Name} did not say your email, so Muster cannot tell who you are here. "
    "The person who runs Muster can have it sent.",
    "unverified": "{Name} says that your email, {email}, is not verified. Verify it there, or ask the person who runs "
    "Muster: MUSTER_OIDC_EMAIL=trusted accepts it.",
    "uninvited": "Nobody has invited {email}. Ask an administrator to invite you.",
    "expired": "Your invitation has expired. Ask who invited you for a new one.",
    "deactivated": "Your account is deactivated. Ask an administrator.",
    "owner": "{email} is the Owner’s account, and only the Owner connects it. " + _CONNECT,
    "second_factor": "The account of {email} has two-step sign-in, so only its person connects it. "
    + _CONNECT,
    "other_account": "{email} is connected with another account of {name}. Ask an administrator to disconnect that one.",
    "not_yours": "At {name} somebody else is signed in: {email}. Sign out there, then try again.",
    "taken": "This account of {name} is connected with somebody else here.",
    "stale": "{Name} did not say when you signed in there, so it shows nothing. The person who runs Muster can have "
    "it send auth_time.",
    "away": "{Name} does not answer just now. Try again in a minute.",
    "denied": "{Name} did not let you in, or you went back.",
    "late": "That took too long, or was begun in another window. Try again.",
    "wrong": "What {name} answered cannot be used. The person who runs Muster finds the reason in its log and with "
    "“muster doctor”.",
    "header": "The proxy in front names nobody by a single email. The person who runs Muster finds more in its log.",
}
"""By code. {Name} begins a sentence."""


def describe_refusal(code: str, name: str, email: str = "") -> str:
    """The sentence. name: what the account elsewhere is called."""
    return REFUSALS[code].format(name=name, Name=capital(name), email=email)
