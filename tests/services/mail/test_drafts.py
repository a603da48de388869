"""E-mails of every kind: what each says, and which of them nobody but their recipient sees."""

from __future__ import annotations

from datetime import timedelta

import pytest
from webapp.core.errors import NotFoundError
from webapp.db import db, utcnow
from webapp.mail.messages import ACCOUNT_TEXTS
from webapp.models import SECRET_KINDS, LinkPurpose, Message, MessageKind, MessageState, Priority, User
from webapp.services.links import account_links
from webapp.services.mail import claim, outbox, render

from tests.factories import make_persona, make_user
from tests.mail_fixtures import make_message, message_to

AMELIA = "amelia.hart@northfield.example"

pytestmark = pytest.mark.usefixtures("app")


def queued(kind: MessageKind, user: User, purpose: LinkPurpose | None = None) -> Message:
    link = account_links.create_link(user, purpose) if purpose else None
    message = outbox.add_message(kind, user.email, user_id=user.id, link_id=link.id if link else None, priority=Priority.RESET)
    db.session.commit()
    return message


def test_every_kind_about_an_account_has_a_text() -> None:
    others = {MessageKind.INVITATION, MessageKind.REMINDER, MessageKind.TEST}
    assert set(ACCOUNT_TEXTS) == set(MessageKind) - others


def test_kinds_are_written_side_by_side_each_in_its_own_words() -> None:
    user = make_user()
    make_message("ines.carvalho@northfield.example")
    queued(MessageKind.RESET, user, LinkPurpose.RESET)
    queued(MessageKind.EMAIL_CHANGE, user, LinkPurpose.EMAIL)
    for kind in MessageKind:
        if kind not in (MessageKind.INVITATION, MessageKind.REMINDER, MessageKind.TEST, *SECRET_KINDS):
            queued(kind, user)
    found = db.session.scalars(db.select(Message)).all()
    letters = {letter.subject: letter for message in found if (letter := render.render(message, sending=True))}
    assert set(letters) == {
        "Choose a new password: Muster",
        "How you sign in: Muster",
        "Confirm your new email: Muster",
        "The email of your account is to change: Muster",
        "Your password was changed: Muster",
        "Two-step sign-in is on: Muster",
        "Two-step sign-in is off: Muster",
        "Devika Raman invited you to Muster",
    }
    reset = letters["Choose a new password: Muster"]
    assert "works once, within 60 minutes" in reset.text
    assert "/password-resets/" in reset.text
    assert "/password-resets/" in reset.html
    assert "If this was not you, choose a new password at once" in letters["Your password was changed: Muster"].text
    assert "within 24 hours" in letters["Confirm your new email: Muster"].text


def test_letters_with_links_cost_the_same_however_many(queries: list[str]) -> None:
    def cost(n: int) -> int:
        for i in range(n):
            queued(MessageKind.RESET, make_user(f"User {n} {i}"), LinkPurpose.RESET)
        ids = claim.claim(f"w{n}")
        queries.clear()
        assert len(claim.render_claimed(ids, f"w{n}")) == n
        return len(queries)

    assert cost(2) == cost(12), queries


def test_a_link_that_is_used_or_over_is_not_sent() -> None:
    user = make_user()
    queued(MessageKind.RESET, user, LinkPurpose.RESET)
    account_links.close_links(user, LinkPurpose.RESET)
    db.session.commit()
    assert claim.render_claimed(claim.claim("w1"), "w1") == []
    message = message_to(AMELIA)
    assert (message.state, message.result) == (MessageState.CANCELLED, {"code": "link_closed"})
    queued(MessageKind.RESET, user, LinkPurpose.RESET)
    ids = claim.claim("w1")
    link = account_links.find_open(user, LinkPurpose.RESET)
    assert link
    link.expires_at = utcnow() - timedelta(seconds=1)
    db.session.commit()
    assert claim.render_claimed(ids, "w1") == []
    assert message_to(AMELIA).result == {"code": "link_expired"}


def test_after_the_servers_key_was_changed_the_link_that_is_sent_works(change_settings) -> None:
    user = make_user()
    queued(MessageKind.RESET, user, LinkPurpose.RESET)
    change_settings(secret_key="a new key that is long enough for this")
    ((_, mail),) = claim.render_claimed(claim.claim("w1"), "w1")
    token = mail.data.decode().partition("/password-resets/")[2].split()[0]
    found = account_links.find_by_token(token, LinkPurpose.RESET)
    assert found
    assert found.user_id == user.id


def test_links_to_an_account_are_shown_to_nobody_not_even_the_owner() -> None:
    owner, user = make_persona("Owner"), make_user()
    for kind, purpose in ((MessageKind.RESET, LinkPurpose.RESET), (MessageKind.EMAIL_CHANGE, LinkPurpose.EMAIL)):
        message = queued(kind, user, purpose)
        with pytest.raises(NotFoundError):
            outbox.get_message(message.id, owner)
    notice = queued(MessageKind.PASSWORD_CHANGED, user)
    assert outbox.list_messages(owner) == [(notice, "Your password was changed: Muster")]
    assert sum(outbox.count_by_kind(owner).values()) == 1
