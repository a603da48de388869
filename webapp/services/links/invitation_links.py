"""Links of invitations. They are derived, never stored (docs/rules.md, "Sending")."""

from __future__ import annotations

from webapp.core.security import tokens
from webapp.models import Invitation
from webapp.services.settings import in_force


def token(invitation: Invitation) -> str:
    """The invitation's token, derived: it is stored nowhere."""
    return derive_token(invitation.id, invitation.nonce, invitation.version)


def derive_token(invitation_id: int, nonce: str, version: int = 1) -> str:
    """Derive the token of the invitation with this id and random value."""
    return tokens.derive(
        in_force.environment().secret_key, "invitation", invitation_id, version, nonce
    )


def link_url(invitation: Invitation) -> str:
    """The whole address for the invited person, from MUSTER_PUBLIC_URL and never from a request."""
    return f"{in_force.environment().public_url}/invitations/{token(invitation)}"


def is_good(invitation: Invitation) -> bool:
    """Whether the link that is derived now is the one whose hash is stored; not so after the server's key was changed."""
    return tokens.hash_token(token(invitation)) == invitation.token_hash


def ensure_link(invitation: Invitation) -> None:
    """If the server's key was changed, raise the version and store the hash of the new link. Does not commit."""
    if not is_good(invitation):
        renew(invitation)


def renew(invitation: Invitation) -> None:
    """Raise the version, and with it the link: those sent before open nothing. Does not commit."""
    invitation.version += 1
    invitation.token_hash = tokens.hash_token(token(invitation))
