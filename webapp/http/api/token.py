"""The token of the request."""

from __future__ import annotations

from typing import cast

from flask import g

from webapp.models import ApiToken


def current_token() -> ApiToken:
    """The token that calls; only behind SIGNED_IN or a permission."""
    return cast(ApiToken, g.token)


def is_proven() -> bool:
    """Whether the token stands for the password that giving a role which manages people costs."""
    return current_token().may_make_admins
