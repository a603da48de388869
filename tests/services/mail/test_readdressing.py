"""Edit email: an invitation is revoked, and another address is invited in its place."""

from __future__ import annotations

import pytest
from webapp.core.errors import ConflictError
from webapp.db import db
from webapp.models import AuditEvent, Batch, BatchState, Invitation, InvitationState, Message, MessageState, Outcome, User
from webapp.services.batches import single_invite
from webapp.services.invitations import invitations
from webapp.services.mail import claim, results

from tests.at_once import at_once
from tests.factories import PASSWORD, make_group, make_invitation, make_persona, make_user, token_of
from tests.mail_fixtures import finish, invitation_of, make_sending_batch, message_to, row_of

WRONG, RIGHT = "ines.carvalo@northfield.example", "ines.carvalho@northfield.example"
W = "worker"


@pytest.fixture
def failed(admin) -> Batch:
    """An upload of which one row's e-mail failed."""
    batch = make_sending_batch(WRONG, "jonas@northfield.example", by=admin.user)
    claim.claim(W)
    finish(results.record_failed(message_to(WRONG).id, W, {"code": "refused", "words": "550 5.1.1 No such user here"}))
    finish(results.record_sent(message_to("jonas@northfield.example").id, W, {"code": "accepted", "words": "250 OK"}))
    results.finish_done()
    return batch


def edit(browser, email: str, new: str, status: int = 303, **more):
    return browser.post(f"/invitations/{invitation_of(email).id}/email", {"email": new}, status, **more)


class TestEditEmail:
    def test_from_the_report_the_row_goes_on_with_the_new_address(self, admin, failed):
        page = admin.get(f"/batches/{failed.id}").page
        (link,) = [a["href"] for a in page.all("a") if a.get("aria-label") == f"Edit email of {WRONG}"]
        form = admin.get(link).page
        assert form.values("email") == [WRONG]
        answer = admin.post(link.partition("?")[0], {"email": RIGHT, "next": form.values("next")[0]})
        assert answer.location.endswith(f"/batches/{failed.id}")
        old, new = invitation_of(WRONG), invitation_of(RIGHT)
        assert (old.state, new.state) == (InvitationState.REVOKED, InvitationState.PENDING)
        row = row_of(RIGHT)
        assert (row.outcome, row.invitation_id, row.read_email) == (Outcome.WAITING, new.id, WRONG)
        assert db.session.get(Batch, failed.id).state is BatchState.PROCESSING
        assert claim.claim(W) == [message_to(RIGHT).id]
        finish(results.record_sent(message_to(RIGHT).id, W, {"code": "accepted", "words": "250 OK"}))
        assert row_of(RIGHT).outcome is Outcome.INVITED
        assert db.session.get(Batch, failed.id).state is BatchState.FINISHED

    def test_keeps_role_groups_days_and_upload(self, admin, failed):
        old = invitation_of(WRONG)
        old.groups, old.valid_days, old.batch_id = [make_group("Exam Laptops")], 30, failed.id
        db.session.commit()
        edit(admin, WRONG, RIGHT)
        new = invitation_of(RIGHT)
        assert ([g.name for g in new.groups], new.role.name, new.valid_days) == (["Exam Laptops"], "Analyst", 30)
        assert new.batch_id == failed.id

    def test_what_is_queued_for_the_old_address_never_goes(self, admin):
        make_sending_batch(WRONG, by=admin.user)
        edit(admin, WRONG, RIGHT)
        assert message_to(WRONG).state is MessageState.CANCELLED
        assert row_of(RIGHT).outcome is Outcome.WAITING

    def test_is_audited_with_before_and_after(self, admin, failed):
        edit(admin, WRONG, RIGHT)
        events = db.session.scalars(db.select(AuditEvent).where(AuditEvent.action.startswith("invitation."))).all()
        assert [e.action for e in events] == ["invitation.revoked", "invitation.readdressed", "invitation.created"]
        assert events[1].details == {"before": {"email": WRONG}, "after": {"email": RIGHT}}

    @pytest.mark.parametrize(
        ("new", "sentence"),
        [
            ("", "Type the email."),
            ("nonsense", "No @ in email."),
            (WRONG.upper(), "This invitation has that address already."),
            ("amelia.hart@northfield.example", "This person already has an account."),
            ("jonas@northfield.example", "This person is already invited."),
        ],
    )
    def test_refuses_with_a_sentence_and_changes_nothing(self, admin, failed, new, sentence):
        make_user("Amelia Hart")
        answer = edit(admin, WRONG, new, 422, htmx=True)
        assert sentence in answer.page.text
        assert answer.page.values("email") == [new]
        assert invitation_of(WRONG).state is InvitationState.PENDING
        assert row_of(WRONG).outcome is Outcome.FAILED

    def test_a_domain_that_is_not_allowed(self, admin, failed, change_settings):
        change_settings(allowed_domains=("northfield.example",))
        edit(admin, WRONG, "ines@elsewhere.example", 422)

    def test_of_a_closed_one_says_so(self, admin):
        invitation = make_invitation(state=InvitationState.ACCEPTED)
        assert "was accepted" in admin.get(f"/invitations/{invitation.id}/email", 409).page.text
        admin.post(f"/invitations/{invitation.id}/email", {"email": RIGHT}, 409)

    def test_nobody_edits_one_ranked_above(self, sign_in, admin):
        role = make_persona("Owner").role
        invitation = make_invitation(WRONG)
        invitation.role = role
        db.session.commit()
        admin.post(f"/invitations/{invitation.id}/email", {"email": RIGHT}, 404)

    def test_is_offered_in_the_list_and_on_the_invitations_page(self, admin):
        invitation = make_invitation(WRONG)
        for path in ("/users", f"/invitations/{invitation.id}/details"):
            found = [a["href"] for a in admin.get(path).page.all("a") if "/email?" in a["href"]]
            assert found
            assert found[0].startswith(f"/invitations/{invitation.id}/email")

    def test_leads_to_the_new_ones_page(self, admin):
        invitation = make_invitation(WRONG)
        here = f"/invitations/{invitation.id}/details"
        answer = admin.post(f"/invitations/{invitation.id}/email", {"email": RIGHT, "next": here})
        page = admin.get(answer.location).page
        assert page.h1.strip() == RIGHT
        assert f"The link sent to {WRONG} no longer works." in page.text


class TestRaces:
    def test_edit_email_against_accept_has_one_winner(self, app, admin):
        for n in range(4):
            invitation = make_invitation(f"a{n}@northfield.example")
            token, id, by = token_of(invitation), invitation.id, admin.user.id
            db.session.rollback()
            raised = at_once(
                app,
                lambda token=token: invitations.accept(token, "Inês Carvalho", PASSWORD),
                lambda id=id, n=n, by=by: single_invite.replace_invitation(
                    id, f"b{n}@northfield.example", db.session.get(User, by)
                ),
            )
            assert [isinstance(error, ConflictError) for error in raised] == [True], raised
            state = db.session.get(Invitation, id).state
            joined = db.session.scalar(db.select(User.id).where(User.email == f"a{n}@northfield.example"))
            invited = db.session.scalar(db.select(Invitation.id).where(Invitation.email == f"b{n}@northfield.example"))
            assert (bool(joined), bool(invited)) == ((True, False) if state is InvitationState.ACCEPTED else (False, True))

    def test_two_edits_at_once_have_one_winner(self, app, admin):
        id, by = make_invitation(WRONG).id, admin.user.id
        db.session.rollback()
        edits = [
            lambda n=n: single_invite.replace_invitation(id, f"b{n}@northfield.example", db.session.get(User, by))
            for n in range(2)
        ]
        assert [type(error) for error in at_once(app, *edits)] == [ConflictError]
        assert len(db.session.scalars(db.select(Message)).all()) == 1
