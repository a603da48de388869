"""Account Settings."""

from __future__ import annotations

from datetime import timedelta

from tests.factories import make_group, make_invitation


def test_it_leads_to_role_management_and_device_groups(owner):
    make_group("Exam Laptops")
    make_invitation()
    make_invitation("late@northfield.example", expires_in=timedelta(days=-1))
    page = owner.get("/settings").page
    assert page.h1 == "Account Settings"
    assert page.all("a", href="/users", class_="cover")
    assert page.all("a", href="/groups", class_="cover")
    assert "1 user, 1 invited, 1 expired" in page.text
    assert "1 group " in page.text


def test_the_owner_sees_what_the_environment_sets_and_no_secret(owner, change_settings):
    change_settings(
        mail_url="smtp://postman:open-sesame@mail.northfield.example:587", database_url="postgresql+psycopg://u:hush@db/muster",
        redis_url="redis://:quiet@queue.northfield.example", given=frozenset({"MAIL_URL"}), max_rows=250,
    )  # fmt: skip
    answer = owner.get("/settings")
    text = answer.page.text
    assert "Email server mail.northfield.example MUSTER_MAIL_URL" in text
    assert "Users in a file At most 250 Default of MUSTER_MAX_ROWS" in text
    assert "PostgreSQL" in text
    assert "queue.northfield.example" in text
    for secret in ("open-sesame", "hush", "quiet", "postman", owner.app.secret_key):
        assert secret not in answer.text


def test_others_see_their_own_part_only(sign_in):
    remote = sign_in("Remote").get("/settings").page
    assert "Jun-ho Park" in remote.text
    assert "Role Management" not in remote.text
    assert "MUSTER_" not in remote.text
    admin = sign_in("Admin").get("/settings").page
    assert "Role Management" in admin.text
    assert "MUSTER_" not in admin.text
