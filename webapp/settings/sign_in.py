"""Settings of signing in with accounts elsewhere that need each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.settings.fields import PREFIX, ConfigError

INSECURE = "AUTHLIB_INSECURE_TRANSPORT"
"""Has Authlib talk to a provider without TLS: for tests of other programs."""

NEEDED = {
    "oidc_issuer": ("oidc_client_id", "what the provider calls Muster"),
    "oidc_client_id": ("oidc_issuer", "the address of the provider"),
    "proxy_email_header": (
        "proxy_networks",
        "where that proxy is: only there the header is believed",
    ),
    "proxy_name_header": ("proxy_email_header", "the header with the email"),
    "proxy_networks": ("proxy_email_header", "the header with the email"),
    "proxy_sign_out_url": ("proxy_email_header", "the header with the email"),
}
"""What one setting is nothing without, and what that is."""


def check(values: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    """Check what belongs together. values: by the fields' names. Raises ConfigError."""
    for name, (other, meaning) in NEEDED.items():
        if values[name] and not values[other]:
            raise ConfigError(
                f"{PREFIX}{other.upper()} is not set; with {PREFIX}{name.upper()} it must be {meaning}."
            )
    if values["oidc_only"] == "yes" and not values["oidc_issuer"]:
        raise ConfigError(
            f"{PREFIX}OIDC_ISSUER is not set; with {PREFIX}OIDC_ONLY “yes” nobody could sign in."
        )
    if values["oidc_issuer"] and environ.get(INSECURE):
        raise ConfigError(
            f"{INSECURE} is set: unset it, because passwords could be read on their way."
        )
