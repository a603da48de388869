"""The chain of the audit log: sealed, checked, pruned, and whole after somebody is erased."""

from __future__ import annotations

import contextvars
import threading
from datetime import UTC, timedelta

import pytest
from hypothesis import given, strategies
from sqlalchemy import delete, exc, text, update
from webapp.core.text.audit_problems import list_lines
from webapp.core.text.redact import Redactor
from webapp.db import begin_write, db, utcnow
from webapp.models import AuditChain, AuditEvent
from webapp.services.audit import chain as audit_chain
from webapp.services.audit import events as audit
from webapp.services.settings import in_force

from tests.factories import make_group, make_invitation, make_persona, make_user
from tests.properties import fewer

HANNAH = "hannah.whitcombe@northfield.example"


@pytest.fixture(autouse=True)
def _app(app):
    """Everything here needs the database."""


def record(n=5, **details):
    """So many events of the Owner on a group, committed."""
    owner = make_persona("Owner")
    for k in range(n):
        audit.record(owner, "group.created", make_group(f"Group {k}"), number=k, **details)
    db.session.commit()


def erase(user, pseudonym):
    audit.erase_names(user, Redactor(audit.find_names(user), pseudonym))


def seal_all():
    while audit_chain.seal():
        pass


def told():
    return list_lines(audit_chain.verify(), UTC)


def problems():
    return audit_chain.verify().problems


def events():
    return list(db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id)))


def tamper(statement, **values):
    """What somebody with the database in their hands does: no trigger stops them."""
    begin_write()
    db.session.execute(update(AuditChain).values(unlocked=True))
    db.session.execute(text(statement), values) if isinstance(statement, str) else db.session.execute(statement)
    db.session.execute(update(AuditChain).values(unlocked=False))
    db.session.commit()


def age(days):
    """Everything happened so many days earlier, as if Muster had written it then."""
    begin_write()
    with audit.unlock():
        for event in events():
            event.at -= timedelta(days=days)
            audit.stamp(event)
    db.session.commit()


class TestSealing:
    def test_every_committed_event_gets_its_place_in_order(self):
        record(5)
        assert audit_chain.seal() is False
        assert [event.seq for event in events()] == [1, 2, 3, 4, 5]
        (line,) = told()
        assert line.startswith("5 events, sealed until ")
        assert line.endswith(", nothing was changed.")

    def test_goes_on_chunk_by_chunk(self, monkeypatch):
        monkeypatch.setattr(audit_chain, "CHUNK", 2)
        record(5)
        assert [audit_chain.seal(), audit_chain.seal(), audit_chain.seal()] == [True, True, False]
        assert not audit_chain.verify().problems

    def test_costs_nothing_where_nothing_is_new(self, queries):
        record(1)
        seal_all()
        queries.clear()
        assert audit_chain.seal() is False
        assert len(queries) == 1, queries

    def test_an_event_that_is_committed_late_comes_last_in_the_chain(self):
        record(3)
        late = events()[0].id
        tamper(delete(AuditEvent).where(AuditEvent.id == late))
        seal_all()
        audit.record(None, "setup.done").id = late
        db.session.commit()
        seal_all()
        assert [event.seq for event in events()] == [3, 1, 2]
        assert not audit_chain.verify().problems

    def test_a_refusal_is_sealed_once_its_hour_is_over_and_counted_until_then(self):
        for _ in range(3):
            audit.count_refusal("access.refused", make_persona("Remote").id, "GET /audit", "192.0.2.1")
            seal_all()
        (event,) = events()
        assert (event.count, event.seq) == (3, None)
        assert told() == ["1 event, none of them sealed yet, nothing was changed."]
        age(1)
        seal_all()
        assert events()[0].seq == 1
        audit.count_refusal("access.refused", make_persona("Remote").id, "GET /audit", "192.0.2.1")
        assert [each.count for each in events()] == [3, 1]
        assert not audit_chain.verify().problems

    def test_two_at_once_make_one_chain(self, app):
        record(40)
        seal, started = audit_chain.seal, threading.Barrier(2)

        def work():
            with app.app_context():
                started.wait()
                while seal() or db.session.scalar(db.select(AuditEvent.id).where(AuditEvent.seq.is_(None)).limit(1)):
                    db.session.rollback()

        threads = [threading.Thread(target=contextvars.Context().run, args=(work,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        db.session.rollback()
        assert sorted(event.seq for event in events()) == list(range(1, 41))
        assert not audit_chain.verify().problems

    def test_an_event_that_lost_its_stamp_is_sealed_and_reported(self):
        record(1)
        seal_all()
        record(1)
        tamper("UPDATE audit_events SET stamp = NULL, personal = '{}' WHERE seq IS NULL")
        seal_all()
        assert problems() == [f"Event {events()[1].id} (group.created) was changed, or not written by Muster."]


class TestTheDatabase:
    """Refuses what no command does."""

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit_events SET subject = 'x'",
            "UPDATE audit_events SET seq = NULL",
            "DELETE FROM audit_events",
        ],
    )
    def test_a_sealed_event_stays_as_it_is(self, statement):
        record(2)
        seal_all()
        begin_write()
        with pytest.raises(exc.DBAPIError, match="only appended"):
            db.session.execute(text(statement))
        db.session.rollback()
        assert not audit_chain.verify().problems

    def test_an_event_is_not_deleted_before_it_is_sealed_either(self):
        record(2)
        begin_write()
        with pytest.raises(exc.DBAPIError, match="only appended"):
            db.session.execute(delete(AuditEvent))
        db.session.rollback()

    def test_what_is_unlocked_is_locked_again(self):
        record(2)
        seal_all()
        begin_write()
        with audit.unlock():
            pass
        with pytest.raises(exc.DBAPIError, match="only appended"):
            db.session.execute(text("DELETE FROM audit_events"))
        db.session.rollback()


class TestVerify:
    def test_finds_that_everything_was_deleted_and_what_was_known_of_it(self):
        record()
        seal_all()
        tamper(delete(AuditEvent))
        db.session.execute(update(AuditChain).values(seq=0, link="", sealed_at=None, signature=""))
        db.session.commit()
        (problem,) = problems()
        assert problem.startswith("Link 5, which is noted in audit_head of the data folder, is no part of the chain")

    def test_an_empty_log_is_whole(self):
        assert told() == ["0 events, none of them sealed yet, nothing was changed."]

    @pytest.mark.parametrize("column", ["actor", "action", "subject", "subject_type", "address", "details", "at", "count"])
    @pytest.mark.parametrize("sealed", [True, False])
    def test_finds_a_changed_field(self, column, sealed):
        record(3)
        if sealed:
            seal_all()
        event = events()[1]
        new = {"details": '{"number": 9}', "at": "2020-01-01 00:00:00.000000", "count": 7}.get(column, "other")
        tamper(f"UPDATE audit_events SET {column} = :new WHERE id = :id", new=new, id=event.id)
        (problem,) = problems()
        assert f"Event {event.id} (" in problem
        assert "changed" in problem

    def test_finds_a_deleted_event(self):
        record(5)
        seal_all()
        second, third = events()[1:3]
        tamper(delete(AuditEvent).where(AuditEvent.id == second.id))
        (problem,) = problems()
        assert problem.startswith(
            f"Event {third.id}, in place 3, does not follow what stands before it: there, events were removed"
        )

    def test_finds_a_deleted_event_whose_place_another_took(self):
        record(5)
        seal_all()
        second, third = events()[1:3]
        tamper(delete(AuditEvent).where(AuditEvent.id == second.id))
        tamper("UPDATE audit_events SET seq = 2 WHERE seq = 3")
        assert f"Event {third.id}, in place 2, does not follow what stands before it" in problems()[0]

    def test_finds_an_inserted_event_before_and_after_it_is_sealed(self):
        record(1)
        owner = make_persona("Owner")
        forged = {"at": utcnow(), "actor": owner.email, "actor_id": owner.id, "action": "user.changed", "personal": {}}
        db.session.execute(db.insert(AuditEvent), {**forged, "stamp": "ab" * 32})
        db.session.commit()
        for _ in range(2):
            (problem,) = problems()
            assert problem == f"Event {events()[1].id} (user.changed) was changed, or not written by Muster."
            seal_all()

    def test_finds_a_copied_event(self):
        record(2)
        first = events()[0]
        columns = {c.name: getattr(first, c.key) for c in AuditEvent.__table__.columns if c.name not in ("id", "seq", "link")}
        with pytest.raises(exc.IntegrityError):
            db.session.execute(db.insert(AuditEvent), columns)
        db.session.rollback()

    def test_finds_two_events_that_changed_places(self):
        record(3)
        seal_all()
        one, two, _ = events()
        ones, twos = (one.seq, one.link), (two.seq, two.link)
        tamper(update(AuditEvent).where(AuditEvent.id == one.id).values(seq=99))
        tamper(update(AuditEvent).where(AuditEvent.id == two.id).values(seq=ones[0], link=ones[1]))
        tamper(update(AuditEvent).where(AuditEvent.id == one.id).values(seq=twos[0], link=twos[1]))
        assert [f"Event {e.id}, in place" in p for e, p in zip((two, one), problems()[:2], strict=True)] == [
            True,
            True,
        ]

    def test_finds_that_the_end_was_cut_off(self):
        record(5)
        seal_all()
        tamper("DELETE FROM audit_events WHERE seq > 3")
        first, second = problems()
        assert first == "The chain was sealed up to 5, but its last event is 3."
        assert second.startswith("Link 5, which is noted in audit_head of the data folder, is no part of the chain")

    def test_finds_a_record_of_the_end_that_was_written_to_fit(self):
        record(5)
        seal_all()
        link = events()[2].link
        tamper("DELETE FROM audit_events WHERE seq > 3")
        tamper(update(AuditChain).values(seq=3, link=link))
        assert "The chain’s own record of its ends was changed" in problems()[0]
        record(1)
        assert audit_chain.seal() is False, "nothing is sealed over it"

    def test_finds_that_an_older_state_was_put_back(self):
        record(3)
        seal_all()
        chain = db.session.get_one(AuditChain, 1)
        before = {c.key: getattr(chain, c.key) for c in AuditChain.__table__.columns if c.key != "id"}
        record(3)
        seal_all()
        tamper("DELETE FROM audit_events WHERE seq > 3")
        tamper(update(AuditChain).values(**before))
        (problem,) = problems()
        assert problem.startswith("Link 6, which is noted in audit_head of the data folder, is no part of the chain")
        record(4)
        seal_all()
        assert len(problems()) == 1, "later links do not hide it"

    def test_finds_that_all_was_unsealed_to_be_sealed_again(self):
        record(3)
        seal_all()
        tamper("UPDATE audit_events SET seq = NULL, link = NULL")
        tamper("DELETE FROM audit_events WHERE id = :id", id=events()[0].id)
        tamper("UPDATE audit_chain SET seq = 0, link = '', signature = '', sealed_at = NULL")
        seal_all()
        assert "noted in audit_head" in problems()[0]

    def test_tells_a_few_problems_and_counts_the_rest(self):
        record(25)
        seal_all()
        tamper("UPDATE audit_events SET address = 'x'")
        lines = told()
        assert "25 problems:" in lines[0]
        assert len(lines) == 22
        assert lines[-1] == "And 5 problems more."

    def test_says_what_the_first_of_them_means_and_what_to_do(self, app):
        record(4)
        seal_all()
        tamper("UPDATE audit_events SET actor = 'other' WHERE seq > 1")
        result = contextvars.Context().run(app.test_cli_runner().invoke, args=["muster", "audit", "verify"])
        assert result.exit_code == 1
        advice = result.output.partition("\nWhat is named above")[2].splitlines()
        assert advice[1] == "What to do:"
        assert [line[:2] for line in advice[2:]] == ["1.", "2.", "3.", "4.", "5."]
        for said in ("MUSTER_SECRET_KEY_FALLBACKS", "muster backup", "muster audit begin-anew"):
            assert said in result.output

    def test_a_former_key_counts_while_it_is_named(self, change_settings):
        record(3)
        seal_all()
        old = in_force.settings().secret_key
        change_settings(secret_key="n" * 48)
        assert audit_chain.verify().problems
        record(2)
        assert audit_chain.seal() is False
        change_settings(secret_key="n" * 48, secret_key_fallbacks=(old,))
        seal_all()
        assert told()[0].startswith("5 events, sealed until")
        assert not audit_chain.verify().problems


def test_after_the_key_is_lost_the_chain_can_be_begun_again(app, change_settings):
    record(3)
    seal_all()
    change_settings(secret_key="n" * 48)
    record(1)
    assert audit_chain.verify().problems
    answer = app.test_cli_runner().invoke(args=["muster", "audit", "begin-anew"], input="y\n")
    assert answer.exit_code == 0, answer.output
    seal_all()
    assert not audit_chain.verify().problems
    assert [event.seq for event in events()] == [1, 2, 3, 4, 5]
    last = events()[-1]
    assert (last.action, last.details["problems"]) == ("audit.begun_anew", 7)
    assert app.test_cli_runner().invoke(args=["muster", "audit", "begin-anew"], input="n\n").exit_code == 1
    assert len(events()) == 5


class TestForgetting:
    def test_leaves_no_word_of_the_person_and_the_chain_whole(self):
        hannah, owner = make_user("Hannah Whitcombe", email=HANNAH), make_persona("Owner")
        invitation = make_invitation("H.Whitcombe@northfield.example")
        invitation.user_id = hannah.id
        audit.record(owner, "invitation.created", invitation, after={"role": "Analyst", "groups": []})
        audit.record(hannah, "session.started", hannah)
        audit.record(owner, "user.changed", hannah, before={"name": "Hannah Wood"}, after={"name": "Hannah Whitcombe"})
        audit.record(None, "message.failed", "x", reason=f"550 <{HANNAH.upper()}>: no such user")
        audit.record(owner, "batch.uploaded", "for hannah whitcombe.csv", rows=1)
        audit.record(owner, "group.created", make_group("Hannah"), by="ann.hannah.whitcombe@northfield.example")
        db.session.commit()
        seal_all()
        begin_write()
        erase(hannah, "Erased person 7")
        db.session.commit()
        words = " ".join(f"{e.actor} {e.subject} {e.details}" for e in events())
        kept = words.casefold().replace("ann.hannah.whitcombe", "").replace("hannah'", "")
        assert "whitcombe" not in kept
        assert "wood" not in kept
        assert sum("Erased person 7" in f"{e.actor} {e.subject} {e.details}" for e in events()) == 5
        assert "ann.hannah.whitcombe@northfield.example" in words, "somebody else"
        assert not audit_chain.verify().problems, told()

    def test_is_no_way_to_hide_a_change(self):
        hannah = make_user("Hannah Whitcombe", email=HANNAH)
        for _ in range(3):
            audit.record(hannah, "session.started", hannah)
        db.session.commit()
        seal_all()
        first, second, third = events()
        tamper(update(AuditEvent).where(AuditEvent.id == first.id).values(subject="x@northfield.example"))
        begin_write()
        erase(hannah, "Erased person 7")
        db.session.commit()
        tamper(update(AuditEvent).where(AuditEvent.id == second.id).values(actor="Erased person 8"))
        tamper(update(AuditEvent).where(AuditEvent.id == third.id).values(personal={}))
        assert problems() == [
            f"Event {first.id} (session.started) was changed, or not written by Muster.",
            f"Event {second.id} (session.started) was changed, or not written by Muster.",
            f"Event {third.id} (session.started) was changed, or not written by Muster.",
        ]

    def test_two_people_in_one_event(self):
        hannah, tomasz = make_user("Hannah Whitcombe", email=HANNAH), make_user("Tomasz Zielinski")
        audit.record(hannah, "user.changed", tomasz, after={"groups": ["Hannah Whitcombe"]})
        db.session.commit()
        seal_all()
        for user, pseudonym in ((hannah, "Person 1"), (tomasz, "Person 2")):
            begin_write()
            erase(user, pseudonym)
            db.session.commit()
        (event,) = events()
        assert (event.actor, event.subject) == ("Person 1", "Person 2")
        assert not audit_chain.verify().problems
        assert not any("salt" in event.personal[name] for name in ("actor", "subject"))

    def test_of_an_event_that_is_not_sealed_yet(self):
        hannah = make_user("Hannah Whitcombe", email=HANNAH)
        audit.record(hannah, "session.started", hannah)
        db.session.commit()
        begin_write()
        erase(hannah, "Person 1")
        db.session.commit()
        seal_all()
        assert not audit_chain.verify().problems


class TestPruning:
    def test_deletes_what_is_too_old_and_leaves_a_checkpoint(self, change_settings):
        change_settings(audit_days=30)
        record(4)
        age(31)
        record(2)
        seal_all()
        assert audit_chain.prune() == 4
        assert audit_chain.prune() == 0
        assert [event.action for event in events()] == ["group.created", "group.created", "audit.pruned"]
        assert events()[-1].details["events"] == 4
        chain = db.session.get_one(AuditChain, 1)
        assert (chain.first_seq, chain.pruned) == (4, 4)
        seal_all()
        assert not audit_chain.verify().problems

    def test_deletes_nothing_that_is_not_sealed(self, change_settings):
        change_settings(audit_days=30)
        record(2)
        age(31)
        assert audit_chain.prune() == 0
        assert len(events()) == 2

    def test_keeps_everything_with_0_days(self, change_settings):
        change_settings(audit_days=0)
        record(2)
        age(9999)
        seal_all()
        assert audit_chain.prune() == 0

    @pytest.mark.parametrize("values", [{"first_seq": 3}, {"pruned": 1}, {"first_link": "0" * 64}])
    def test_a_changed_checkpoint_is_found_and_pruned_no_further(self, change_settings, values):
        change_settings(audit_days=30)
        record(4)
        age(31)
        seal_all()
        audit_chain.prune()
        tamper(update(AuditChain).values(**values))
        assert "The chain’s own record of its ends was changed" in problems()[0]
        age(31)
        assert audit_chain.prune() == 0

    def test_events_put_before_the_checkpoint_are_found(self, change_settings):
        change_settings(audit_days=30)
        record(4)
        age(31)
        record(1)
        seal_all()
        audit_chain.prune()
        tamper(update(AuditEvent).where(AuditEvent.seq.is_(None)).values(seq=2, link="x"))
        assert any("in place 2, does not follow" in problem for problem in problems())


changes = strategies.sampled_from(
    ["actor", "subject", "details", "address", "count", "at", "seq", "link", "stamp", "delete", "swap"]
)


@pytest.mark.slow
@fewer()
@given(
    steps=strategies.lists(strategies.sampled_from(["record", "seal", "forget", "prune"]), max_size=6),
    change=changes,
    place=strategies.integers(0, 30),
)
def test_whatever_muster_does_the_chain_holds_and_any_change_by_others_is_found(app, change_settings, steps, change, place):
    change_settings(audit_days=30)
    _empty()
    hannah = make_user("Hannah Whitcombe", email=f"h{utcnow().timestamp()}@northfield.example")
    for step in ["record", *steps, "record", "seal"]:
        if step == "record":
            audit.record(hannah, "user.changed", hannah, before={"role": "A"}, after={"role": "B", "name": hannah.name})
            audit.record(None, "setup.done")
            db.session.commit()
        elif step == "seal":
            seal_all()
        elif step == "forget":
            begin_write()
            erase(hannah, "Erased person")
            db.session.commit()
        else:
            later = utcnow() + timedelta(days=40)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(audit_chain, "utcnow", lambda later=later: later)
                audit_chain.prune()
        assert not audit_chain.verify().problems, (step, told())
    found = events()
    event, other = found[place % len(found)], found[(place + 1) % len(found)]
    _change(event, other, change)
    assert audit_chain.verify().problems, (change, event.id)


def _change(event, other, change):
    where = AuditEvent.id == event.id
    if change == "delete":
        tamper(delete(AuditEvent).where(where))
    elif change == "swap":
        mine, theirs = (event.seq, event.link), (other.seq, other.link)
        tamper(update(AuditEvent).where(where).values(seq=9999))
        tamper(update(AuditEvent).where(AuditEvent.id == other.id).values(seq=mine[0], link=mine[1]))
        tamper(update(AuditEvent).where(where).values(seq=theirs[0], link=theirs[1]))
    else:
        new = {"details": {"x": 1}, "count": 99, "at": utcnow() - timedelta(days=3), "seq": None}
        tamper(update(AuditEvent).where(where).values({change: new.get(change, "x")}))


def _empty():
    begin_write()
    with audit.unlock():
        db.session.execute(delete(AuditEvent))
    fresh = {"seq": 0, "link": "", "sealed_at": None, "first_seq": 0, "first_link": "", "pruned": 0, "pruned_until": None}
    db.session.execute(update(AuditChain).values(**fresh, signature=""))
    db.session.commit()
    audit_chain._anchor().unlink(missing_ok=True)
