"""A data folder that was there before, with modes that let others look into it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from webapp.run import data_folder
from webapp.settings.fields import ConfigError

from tests.run.conftest import TOP, Muster

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def flask(muster: Muster, *command: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "flask", "--app", "wsgi", *command]
    return subprocess.run(argv, cwd=TOP, env=muster.environ, capture_output=True, text=True)


def open_to_others(folder: Path) -> list[str]:
    paths = [folder, *folder.rglob("*")]
    return [str(path) for path in paths if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077]


def old_folder(folder: Path) -> Path:
    folder.mkdir(mode=0o755)
    (folder / "outbox").mkdir(mode=0o755)
    (folder / "outbox" / "1.eml").write_text("To: ana@northfield.example\n")
    (folder / "audit_head").write_text("")
    assert len(open_to_others(folder)) == 4
    return folder


def test_everything_is_the_owners_alone_once_muster_runs(muster: Muster) -> None:
    old_folder(muster.data_dir)
    muster.started()
    assert (muster.data_dir / "muster.db").exists()
    assert stat.S_IMODE(muster.data_dir.stat().st_mode) == 0o700, "nobody else gets in"
    old = {str(muster.data_dir / name) for name in ("outbox", "outbox/1.eml", "audit_head")}
    assert set(open_to_others(muster.data_dir)) <= old, "nobody else could read what is new"


def test_a_command_makes_nothing_that_others_can_read(muster: Muster) -> None:
    assert flask(muster, "db", "upgrade").returncode == 0
    assert open_to_others(muster.data_dir) == []


def test_a_folder_of_another_user_that_is_open_to_all_stops_the_start() -> None:
    said = "belongs to another user and is open to everybody"
    if os.geteuid() != 0:  # an ordinary user finds such a folder in each system
        with pytest.raises(ConfigError, match=said):
            data_folder.guard(Path("/tmp"))
        return
    folder = Path(tempfile.mkdtemp(prefix="muster-"))  # pytest's own folders are closed to others
    folder.chmod(0o777)

    def as_nobody() -> str:
        os.setegid(65534)
        os.seteuid(65534)
        try:
            data_folder.guard(folder)
        except ConfigError as error:
            return str(error)
        finally:
            os.seteuid(0)
            os.setegid(0)
        return ""

    assert said in as_nobody()
    folder.chmod(0o770)
    os.chown(folder, 0, 65534)
    assert as_nobody() == ""
    folder.rmdir()
