"""The first start."""

from __future__ import annotations

import contextvars
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from webapp.app import create_app
from webapp.core.addresses import parse
from webapp.core.errors import ConflictError
from webapp.core.security.permissions import SHIPPED_ROLES
from webapp.db import Base, db
from webapp.models import OWNER_ROLE_ID, AuditEvent, Group, MailCircuit, Organisation, Role, User
from webapp.services.operations import first_run
from webapp.settings.fields import ConfigError
from webapp.settings.settings import Settings
from webapp.upgrade import upgrade

from tests.factories import PASSWORD, make_group, make_persona

MAREN = "maren.okafor@northfield.example"


def token():
    return first_run.prepare()[-1].rpartition("/")[2]


def test_a_start_makes_the_shipped_roles_once(app):
    first_run.prepare()
    roles = db.session.scalars(db.select(Role).order_by(Role.id)).all()
    assert [(each.name, each.rank) for each in roles] == [(each.name, each.rank) for each in SHIPPED_ROLES]
    assert roles[0].id == OWNER_ROLE_ID
    assert db.session.scalars(db.select(Organisation.id)).all() == db.session.scalars(db.select(MailCircuit.id)).all() == [1]


def test_groups_of_the_environment_are_made_while_there_are_none(app, change_settings):
    change_settings(groups=("Student Devices", "Exam Laptops"))
    assert "Made 2 groups from MUSTER_GROUPS." in first_run.prepare()
    change_settings(groups=("Other",))
    first_run.prepare()
    assert sorted(db.session.scalars(db.select(Group.name))) == ["Exam Laptops", "Student Devices"]


def test_the_owner_of_the_environment_is_made_while_there_is_none(app, change_settings):
    change_settings(owner_email=MAREN, owner_password=PASSWORD)
    assert first_run.prepare() == [f"Made the Owner {MAREN} from MUSTER_OWNER_EMAIL."]
    owner = db.session.scalars(db.select(User)).one()
    assert (owner.name, owner.role_id, owner.all_groups) == ("Maren Okafor", OWNER_ROLE_ID, True)
    change_settings(owner_email="other@northfield.example")
    assert first_run.prepare() == []


def test_an_owner_at_a_domain_of_the_intranet_is_made_and_can_sign_in(client, change_settings):
    change_settings(owner_email="maren@school.local", owner_password=PASSWORD)
    first_run.prepare()
    client.post("/sign-in", {"email": "Maren@School.local", "password": PASSWORD})


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"owner_email": MAREN, "owner_password": "password1234"}, "MUSTER_OWNER_PASSWORD cannot be used: This is a common"),
        (
            {"owner_email": "a b@x.org", "owner_password": PASSWORD},
            "MUSTER_OWNER_EMAIL is “a b@x.org”, which is not an email",
        ),
        ({"groups": ("x" * 81,)}, "MUSTER_GROUPS cannot be used: "),
    ],
)
def test_settings_that_do_not_do_stop_the_start_with_one_line(app, change_settings, values, line):
    change_settings(**values)
    answer = app.test_cli_runner().invoke(args=["muster", "prepare"])
    assert answer.exit_code == 1
    assert answer.output.startswith(f"Error: {line}")
    assert len(answer.output.splitlines()) == 1
    with pytest.raises(ConfigError):
        first_run.prepare()


def test_prepare_prints_the_link_once_more_at_each_start(app):
    lines = app.test_cli_runner().invoke(args=["muster", "prepare"]).output.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["Set up Muster"]
    assert first_run.is_open(lines[0].rpartition("/")[2])


def test_of_two_who_set_up_at_once_one_wins(app):
    link, outcomes, together = token(), [], threading.Barrier(2)

    def finish(name):
        with app.app_context():
            together.wait()
            try:
                outcomes.append(
                    first_run.finish(link, name, name, parse(f"{name}@northfield.example"), PASSWORD, "Europe/London").name
                )
            except ConflictError:
                outcomes.append(None)

    threads = [threading.Thread(target=contextvars.Context().run, args=(finish, name)) for name in ("maren", "devika")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    assert sum(each is not None for each in outcomes) == 1
    assert db.session.scalars(db.select(User.name)).all() == [each for each in outcomes if each]


def test_nothing_is_open_once_there_is_an_owner(app):
    link = token()
    make_persona("Owner")
    make_group("Exam Laptops")
    assert not first_run.is_open(link)
    with pytest.raises(ConflictError):
        first_run.finish(link, "X", "X", parse("x@northfield.example"), PASSWORD, "Europe/London")
    assert first_run.prepare() == []
    assert not db.session.scalar(db.select(AuditEvent).where(AuditEvent.action == "setup.done"))


def test_the_migrations_make_the_tables_of_the_models(tmp_path):
    app = create_app(Settings.from_environment({"MUSTER_DATA_DIR": str(tmp_path / "data")}))
    with app.app_context():
        upgrade()
        with db.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        made = inspect(db.engine)
        fresh = create_engine("sqlite://")
        Base.metadata.create_all(fresh)
        wanted = inspect(fresh)
        for table in Base.metadata.tables:
            assert _shape(made, table) == _shape(wanted, table)
        with db.engine.connect() as connection, fresh.connect() as another:
            triggers = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
            assert connection.execute(triggers).all() == another.execute(triggers).all() != []
        assert first_run.prepare()
        db.engine.dispose()


def _shape(database, table):
    columns = {(c["name"], str(c["type"]), c["nullable"]) for c in database.get_columns(table)}
    indexes = sorted(
        (i["name"], i["column_names"], i["unique"], str(i["dialect_options"].get("sqlite_where")))
        for i in database.get_indexes(table)
    )
    keys = sorted((k["name"], k["constrained_columns"], str(k["options"])) for k in database.get_foreign_keys(table))
    unique = sorted((u["name"], u["column_names"]) for u in database.get_unique_constraints(table))
    return columns, indexes, keys, unique
