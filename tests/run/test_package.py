"""Muster as a package: the wheel has what the checkout has, and runs where nothing of the checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from webapp.run import processes
from webapp.version import version

from tests import person
from tests.factories import PASSWORD
from tests.run.conftest import PATIENCE, TOP, Muster

pytestmark = pytest.mark.slow

OWNER = {"MUSTER_OWNER_EMAIL": person.OWNER, "MUSTER_OWNER_PASSWORD": PASSWORD}


class Installed(Muster):
    """What the command of a package starts, in a folder where no checkout is."""

    command = Path()

    def start(self, *arguments: str) -> Muster:
        with self.said.open("ab") as out:
            argv = [str(self.command), *(arguments or ["run"])]
            self.process = processes.spawn(argv, cwd=self.data_dir.parent, env=self.environ, stdout=out, stderr=out)
        return self

    def says(self, *arguments: str, **environ: str) -> str:
        """What a command prints that ends well."""
        argv = [str(self.command), *arguments]
        return run(argv, self.data_dir.parent, self.environ | environ)


def run(argv: list[str], folder: Path, environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make package` makes: the wheel, and the pins to install it with."""
    folder = tmp_path_factory.mktemp("dist")
    run(["make", "--old-file=dev", "package", f"PY={sys.executable}", f"DIST={folder}"], TOP)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    made = Installed(tmp_path / "data", **OWNER)
    made.environ.pop("PYTHONPATH", None)
    yield made
    made.clean_up()


@pytest.fixture(scope="module")
def beside_our_packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command in an environment of its own, which takes the packages that Muster needs from ours: that costs a second."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    run([*uv("pip", "install"), "--offline", "--no-deps", "--python", str(folder), str(wheel)], folder)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (site / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "muster"


def uv(*command: str) -> list[str]:
    return [sys.executable, "-m", "uv", "--quiet", *command]


def files_below(folder: str) -> set[str]:
    paths = [path.relative_to(TOP).as_posix() for path in (TOP / folder).rglob("*") if path.is_file()]
    return {path for path in paths if "__pycache__" not in path}


def test_the_wheel_holds_the_program_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        held = set(packed.namelist())
    beside = files_below("templates") | files_below("static") | files_below("migrations")
    expected = {f"webapp/_top/{path}" for path in beside | {"worker.py", "wsgi.py", "pyproject.toml"}}
    units = {
        f"muster_portal-{version()}.data/data/share/muster/{path.removeprefix('packaging/')}"
        for path in files_below("packaging/systemd")
    }
    assert {name for name in held if ".dist-info/" not in name} == expected | files_below("webapp") | units


def test_an_installed_package_runs_and_imports_files(installed: Installed, beside_our_packages: Path, tmp_path: Path) -> None:
    installed.command = beside_our_packages
    installed.started()
    assert installed.says("--version") == f"Muster {version()}\n"
    assert installed.get("/static/muster.css")[0] == 200
    person.import_files(installed)
    assert "wrong" not in installed.says("doctor")
    assert installed.says("backup", "backup.tar.gz").startswith("Wrote ")
    assert (tmp_path / "backup.tar.gz").exists()
    assert installed.stop() == 0
    assert "Traceback" not in installed.output()


def test_where_an_installed_package_keeps_its_data(beside_our_packages: Path) -> None:
    told = {
        "/srv/state": {"STATE_DIRECTORY": "/srv/state"},
        "/srv/one": {"STATE_DIRECTORY": "/srv/one:/srv/two", "XDG_DATA_HOME": "/srv/share"},
        "/srv/share/muster": {"XDG_DATA_HOME": "/srv/share"},
        "/home/maren/.local/share/muster": {"XDG_DATA_HOME": "relative/is/ignored"},
    }
    program = f"from webapp.run.data_folder import locate; print(*(locate('', each) for each in {list(told.values())!r}))"
    python = str(beside_our_packages.with_name("python"))
    assert run([python, "-c", program], beside_our_packages.parent, {"HOME": "/home/maren"}).split() == list(told)


def test_each_part_alone_is_told_of_a_wrong_setting(installed: Installed, beside_our_packages: Path) -> None:
    for command in (["run"], ["web"], ["worker", "mail-1"]):
        environ = installed.environ | {"MUSTER_PROT": "8000"}
        said = subprocess.run([beside_our_packages, *command], env=environ, capture_output=True, text=True, timeout=PATIENCE)
        assert (said.returncode, said.stderr) == (2, "MUSTER_PROT is not a setting of Muster. Did you mean MUSTER_PORT?\n")


@pytest.fixture(scope="module")
def wheelhouse(dist: Path) -> Path:
    """With all that a machine without a network needs: what is pinned was downloaded, each with its hash."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--require-hashes"]
    run([*argv, "--requirement", "requirements.txt", "--dest", str(dist)], TOP)
    return dist


@pytest.mark.package
def test_pip_installs_it_without_a_network_into_an_empty_environment(
    installed: Installed, wheelhouse: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    run([sys.executable, "-m", "venv", str(bare)], tmp_path)
    pip = [str(bare / "bin" / "python"), "-m", "pip", "--isolated"]
    offline = ["--quiet", "--no-index", "--find-links", str(wheelhouse)]
    run([*pip, "install", *offline, "--require-hashes", "--requirement", str(wheelhouse / "requirements.txt")], tmp_path)
    run([*pip, "install", *offline, "--no-deps", "muster-portal"], tmp_path)
    run([*pip, "check"], tmp_path)
    installed.command = bare / "bin" / "muster"
    installed.started()
    person.import_files(installed)
    assert installed.stop() == 0


@pytest.mark.package
def test_uv_installs_it_as_a_tool(installed: Installed, wheelhouse: Path, tmp_path: Path) -> None:
    """With constraints.txt, which pipx gives to pip as well."""
    environ = os.environ | {
        "UV_TOOL_DIR": str(tmp_path / "tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    offline = ["--offline", "--no-index", "--find-links", str(wheelhouse)]
    pinned = ["--python", sys.executable, "--constraints", str(wheelhouse / "constraints.txt")]
    run([*uv("tool", "install"), *offline, *pinned, "muster-portal"], tmp_path, environ)
    installed.command = tmp_path / "muster"
    installed.started()
    person.import_files(installed)
    assert installed.stop() == 0
