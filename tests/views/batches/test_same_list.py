"""The same list again: recognised, with what was corrected in it then, over HTTP."""

from __future__ import annotations

import io

import pytest
from webapp.db import db
from webapp.jobs import outbox as outbox_job
from webapp.models import Batch, Invitation
from webapp.services.batches import execute, same_list

from tests.factories import make_group
from tests.steps import carry_out, confirm, edit, rows_of, stage

TEN = [f"person{n}@northfield.example" for n in range(10)]


def file_of(*emails: str, role: str = "Analyst") -> str:
    return "Email,Role,Groups\n" + "".join(f"{email},{role},\n" for email in emails)


def send(client, batch: Batch) -> Batch:
    """Confirm a review without its rows in error."""
    client.patch(f"/batches/{batch.id}", {"skip_errors": "true"}, 303)
    return confirm(client, batch)


def history_of(client, batch: Batch) -> str:
    """The line under the title that tells of the earlier list; "" where there is none."""
    text = client.get(f"/batches/{batch.id}").page.text
    return text[text.index("Same list as ") :].partition(".csv")[0] if "Same list as " in text else ""


def corrections_of(batch: Batch) -> list[tuple[int, str, str, str]]:
    batch = db.session.get_one(Batch, batch.id)
    earlier = same_list.find_earlier(batch)
    assert earlier
    return [(c.row.line, c.field, c.before, c.after) for c in same_list.find_past_corrections(batch, earlier)]


class TestAListIsRecognised:
    def test_by_its_file(self, admin):
        earlier = send(admin, stage(admin, file_of("bad", "worse"), name="staff.csv"))
        again = stage(admin, file_of("bad", "worse"), name="other.csv")
        page = admin.get(f"/batches/{again.id}").page
        assert "Same list as staff.csv , confirmed today at " in page.text
        assert page.all("a", href=f"/batches/{earlier.id}")

    @pytest.mark.parametrize(("kept", "is_same"), [(6, True), (5, False)])
    def test_by_six_of_ten_emails(self, admin, kept, is_same):
        send(admin, stage(admin, file_of(*TEN), name="staff.csv"))
        new = [f"new{n}@northfield.example" for n in range(10 - kept)]
        again = stage(admin, file_of(*TEN[:kept], *new, role="Remote"))
        assert history_of(admin, again) == ("Same list as staff" if is_same else "")

    def test_but_not_by_a_few_people_of_a_long_list(self, admin):
        send(admin, stage(admin, file_of(*TEN), name="staff.csv"))
        assert history_of(admin, stage(admin, file_of(TEN[0]))) == ""
        assert history_of(admin, stage(admin, file_of(*TEN[:2]))) == "Same list as staff"

    def test_only_once_it_was_sent(self, admin):
        stage(admin, file_of(*TEN), name="staff.csv")
        assert history_of(admin, stage(admin, file_of(*TEN))) == ""

    def test_as_the_one_that_was_sent_last(self, admin):
        send(admin, stage(admin, file_of(*TEN), name="first.csv"))
        send(admin, stage(admin, file_of(*TEN[:9]), name="second.csv"))
        assert history_of(admin, stage(admin, file_of(*TEN))) == "Same list as second"

    def test_that_last_one_goes_by_the_confirming_not_by_the_upload(self, admin):
        first = stage(admin, file_of(*TEN), name="first.csv")
        send(admin, stage(admin, file_of(*TEN[:9]), name="second.csv"))
        send(admin, first)
        assert history_of(admin, stage(admin, file_of(*TEN))) == "Same list as first"

    def test_but_not_where_it_was_cancelled_before_its_first_row(self, admin):
        send(admin, stage(admin, file_of(*TEN), name="first.csv"))
        cancelled = send(admin, stage(admin, file_of(*TEN), name="second.csv"))
        admin.post(f"/batches/{cancelled.id}/cancellation")
        assert history_of(admin, stage(admin, file_of(*TEN))) == "Same list as first"
        begun = send(admin, stage(admin, file_of(*TEN), name="third.csv"))
        execute.run_chunk(begun.id, 3)
        outbox_job.send()
        admin.post(f"/batches/{begun.id}/cancellation")
        assert history_of(admin, stage(admin, file_of(*TEN))) == "Same list as third"

    def test_with_the_name_of_the_colleague_who_sent_it(self, admin, owner):
        send(owner, stage(owner, file_of(*TEN)))
        page = admin.get(f"/batches/{stage(admin, file_of(*TEN)).id}").page
        assert f"by {owner.user.name}." in page.text


class TestWhatWasCorrectedThen:
    def test_is_found_in_rows_that_read_the_same(self, admin):
        make_group("Labs")
        text = "Email,Role,Groups\nana@x.org,Analsyt,\nben@@x.org,Remote,\ncy@x.org,Remote,Labz\ndora@x.org,Remote,\n"
        earlier = stage(admin, text)
        edit(admin, earlier, 2, "role", "Analyst")
        edit(admin, earlier, 3, "email", "ben@x.org")
        edit(admin, earlier, 4, "groups", "Labs")
        send(admin, earlier)
        again = stage(admin, text.replace("cy@x.org,Remote", "cy@x.org,Analyst") + "eve@x.org,Remote,\n")
        assert corrections_of(again) == [
            (2, "role", "Analsyt", "Analyst"),
            (3, "email", "ben@@x.org", "ben@x.org"),
        ]

    def test_is_not_offered_in_a_cell_that_was_edited_since(self, admin):
        earlier = stage(admin, file_of("ana@x.org", "ben@x.org"))
        edit(admin, earlier, 2, "role", "Remote")
        send(admin, earlier)
        again = stage(admin, file_of("ana@x.org", "ben@x.org"))
        edit(admin, again, 2, "role", "Broadcaster")
        assert corrections_of(again) == []

    def test_may_be_a_removed_row(self, admin):
        earlier = stage(admin, file_of("ana@x.org", "ben@x.org"))
        admin.post(f"/batches/{earlier.id}/rows/{rows_of(earlier)[1].id}/removal")
        send(admin, earlier)
        again = stage(admin, file_of("cy@x.org", "ana@x.org", "ben@x.org"))
        assert corrections_of(again) == [(4, "removed", "", "removed")]

    def test_leaves_the_only_row_of_somebody_who_had_two(self, admin):
        earlier = stage(admin, file_of("ana@x.org", "ana@x.org", "ben@x.org"))
        admin.post(f"/batches/{earlier.id}/rows/{rows_of(earlier)[1].id}/removal")
        send(admin, earlier)
        assert corrections_of(stage(admin, file_of("ana@x.org", "ben@x.org"))) == []

    def test_may_be_an_address_that_was_replaced_afterwards(self, admin):
        carry_out(admin, stage(admin, file_of("ana@x.org", "ben@x.org")))
        ana = db.session.scalars(db.select(Invitation).where(Invitation.email_key == "ana@x.org")).one()
        admin.post(f"/invitations/{ana.id}/email", {"email": "ana@new.org"})
        assert corrections_of(stage(admin, file_of("ana@x.org", "ben@x.org"))) == [(2, "email", "ana@x.org", "ana@new.org")]


def age(batch: Batch) -> Batch:
    """Make the batch as a version left it that read no names, and kept one beside its address."""
    for row in rows_of(batch):
        if row.email == row.read_email:
            row.email = f"{row.name} <{row.email}>"
        row.read_email = f"{row.read_name} <{row.read_email}>"
        row.name = row.read_name = ""
    db.session.commit()
    return batch


class TestAListFromBeforeNames:
    TEXT = "Email,Role\nAna Silva <ana@x.org>,Analsyt\nBen Doe <ben@x.org>,Remote\n"

    def test_its_corrections_are_offered(self, admin):
        earlier = stage(admin, self.TEXT)
        edit(admin, earlier, 2, "email", "ana@new.org")
        edit(admin, earlier, 2, "role", "Analyst")
        edit(admin, earlier, 3, "role", "Analyst")
        send(admin, age(earlier))
        assert corrections_of(stage(admin, self.TEXT)) == [
            (2, "email", "ana@x.org", "ana@new.org"),
            (2, "role", "Analsyt", "Analyst"),
            (3, "role", "Remote", "Analyst"),
        ]

    def test_its_edits_stay_where_its_file_is_replaced(self, admin):
        batch = stage(admin, self.TEXT)
        edit(admin, batch, 2, "role", "Analyst")
        age(batch)
        file = {"file": (io.BytesIO(self.TEXT.encode()), "again.csv")}
        admin.post(f"/batches/{batch.id}/file", file, content_type="multipart/form-data")
        assert [row.role for row in rows_of(batch)] == ["Analyst", "Remote"]


def test_a_corrected_name_is_offered_again_and_a_new_one_of_the_file_stays(admin):
    text = "Email,Name,Role\nana@northfield.example,{},Analyst\nben@northfield.example,{},Remote\n"
    first = stage(admin, text.format("Ana", "Ben"))
    edit(admin, first, 2, "name", "Ana Silva")
    edit(admin, first, 3, "role", "Analyst")
    send(admin, first)
    again = stage(admin, text.format("Ana", "Ben Doe"))
    assert corrections_of(again) == [(2, "name", "Ana", "Ana Silva"), (3, "role", "Remote", "Analyst")]
