"""The app of this machine, for commands with --local. This is the one module of the client that needs the server's packages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import select

from webapp.app import create_app
from webapp.client.transport import RefusedError
from webapp.core.addresses import key_of
from webapp.core.security.permissions import GIVABLE
from webapp.db import db
from webapp.models import User, UserState
from webapp.run import program
from webapp.services.accounts import tokens


@contextmanager
def open_app(email: str) -> Iterator[tuple[Flask, str]]:
    """The app, and the text of a token of this user, which is revoked at the end. Raises RefusedError."""
    settings = program.begin("muster")
    folder = settings.data_dir
    if folder.stat().st_uid != os.geteuid():
        raise _refusal(
            f"{folder} belongs to another user of this machine: run the command as that user."
        )
    app = create_app(settings)
    with app.app_context():
        key = key_of(email, (email.rpartition("@")[2].lower(),))
        is_theirs = User.email_key == key, User.state == UserState.ACTIVE
        user = db.session.scalar(select(User).where(*is_theirs)) if key else None
        if user is None:
            raise _refusal(f"No active user of this Muster has the email {email}.")
        user_id = user.id
        made, text = tokens.make_token(
            user, user, "muster --local", GIVABLE, 1, may_make_admins=True
        )
        token_id = made.id
        db.session.remove()
    try:
        yield app, text
    finally:
        with app.app_context():
            user = db.session.get_one(User, user_id)
            tokens.revoke(token_id, user, user)
            db.session.remove()


def _refusal(sentence: str) -> RefusedError:
    return RefusedError(403, {"detail": sentence})
