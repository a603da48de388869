"""A wrong setting stops every program with one line, and nothing is started."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.conftest import TOP, Muster

pytestmark = pytest.mark.slow

PROGRAMS = ["webapp.supervisor", "webapp.server", "worker"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_setting_is_one_line(muster: Muster, program: str) -> None:
    muster.environ["MUSTER_PROT"] = "8000"
    refused = muster.run(program)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == ["MUSTER_PROT is not a setting of Muster. Did you mean MUSTER_PORT?"]
    assert refused.stdout == ""
    assert not muster.data_dir.exists()


def test_a_wrong_setting_stops_a_command_with_the_same_line(muster: Muster) -> None:
    argv = [sys.executable, "-m", "flask", "--app", "wsgi", "muster", "doctor"]
    environ = muster.environ | {"MUSTER_PROT": "8000"}
    refused = subprocess.run(argv, cwd=TOP, env=environ, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == ["MUSTER_PROT is not a setting of Muster. Did you mean MUSTER_PORT?"]


def test_the_web_server_alone_says_that_its_port_is_taken(muster: Muster) -> None:
    with socket.create_server(("127.0.0.1", muster.port)):
        refused = muster.run("webapp.server")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(f"Another program listens on 127.0.0.1:{muster.port} already. ")
    assert "Traceback" not in refused.stderr


def test_make_says_what_it_can_do() -> None:
    said = subprocess.run(["make", "help"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    for target in ("run", "test", "quick", "lint", "format", "lock", "screens", "clean", "help"):
        assert f"make {target} " in said


def test_make_names_the_python_that_it_needs(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.txt"):
        shutil.copy(TOP / name, tmp_path)
    refused = subprocess.run(["make", "run", "PYTHON=/no/such/python"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode != 0
    assert refused.stderr.startswith("Muster needs Python 3.11 or newer, and /no/such/python is not.")
