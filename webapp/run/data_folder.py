"""The data folder: made, kept private, held by one Muster at a time; and the secret key in it."""

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from webapp import layout
from webapp.settings.fields import ConfigError, shorten

SHORTEST_SECRET_KEY = 32  # characters
LOCK = "up.lock"
LAST_BACKUP = "last_backup"
"""A file whose time says when the last backup was made."""
DEMO = ".muster-demo"
"""A file that marks the folder of the demo."""


def locate(text: str, environ: Mapping[str, str]) -> Path:
    """The whole path of the data folder. text: of MUSTER_DATA_DIR. Raises ConfigError."""
    folder = Path(text) if text else _default(environ)
    try:
        return Path(os.path.abspath(folder.expanduser()))
    except RuntimeError:
        raise ConfigError(
            "This user has no home folder: set MUSTER_DATA_DIR to the folder for the data."
        ) from None


def _default(environ: Mapping[str, str]) -> Path:
    """`data` in the current folder, for a checkout.

    For an installed package: the folder that systemd made for the service (StateDirectory=), else that of the user's data
    (XDG Base Directory Specification).
    """
    if not layout.IS_INSTALLED:
        return Path("data")
    if folders := environ.get("STATE_DIRECTORY"):
        return Path(folders.partition(":")[0])
    home = Path(environ.get("XDG_DATA_HOME", ""))
    if not home.is_absolute():
        home = Path("~/.local/share")
    return home / "muster"


def make(folder: Path) -> None:
    """Make it on the first start, for this user alone. Raises ConfigError where it cannot be used."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"MUSTER_DATA_DIR is “{shorten(str(folder))}”, which this user cannot make, or not read and write; "
            "change its owner, or name another folder."
        )


def guard(folder: Path) -> None:
    """At the start of a program: only this user may enter the data folder, and read what the program makes.

    Raises ConfigError where the folder belongs to another user and is open to everybody.
    """
    os.umask(0o077)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & 0o077:
        return
    try:
        folder.chmod(mode & 0o700)
    except OSError:
        if mode & 0o007:
            raise ConfigError(
                f"“{shorten(str(folder))}” belongs to another user and is open to everybody on this machine; "
                "give it to the user that Muster runs as, or chmod 700 it."
            ) from None


def load_secret_key(file: Path) -> str:
    """The key kept in `file`, made on the first start.

    If processes start together, one makes it for all: it is written to another file, then linked into place.
    """
    try:
        if not file.exists():
            with tempfile.NamedTemporaryFile("w", dir=file.parent) as new:  # mode 0600
                new.write(secrets.token_urlsafe(48) + "\n")
                new.flush()
                os.fsync(new.fileno())
                with suppress(FileExistsError):
                    os.link(new.name, file)
        file.chmod(0o600)
        key = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The secret key in “{shorten(str(file))}” cannot be used ({error}); check the file."
        ) from None
    if len(key) < SHORTEST_SECRET_KEY:
        raise ConfigError(
            f"The secret key in “{shorten(str(file))}” is shorter than {SHORTEST_SECRET_KEY} characters; "
            "restore the file, or delete it (everyone has to sign in again, and links sent so far stop working)."
        )
    return key


def make_empty(folder: Path) -> Path:
    """A folder in the data folder that begins empty at each start."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def sync_folder(folder: Path) -> None:
    """Have the disk know by which names the files in it are found."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def note_backup(folder: Path) -> None:
    """Write down that a backup was made now."""
    (folder / LAST_BACKUP).touch()


def last_backup(folder: Path) -> datetime | None:
    """When the last backup was made with this data folder; None where that is not known."""
    try:
        return datetime.fromtimestamp((folder / LAST_BACKUP).stat().st_mtime, UTC)
    except OSError:
        return None


def lock(folder: Path) -> IO[str]:
    """Hold the data folder while the file is open. Raises ConfigError when another process holds it."""
    file = (folder / LOCK).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise ConfigError(
            f"Muster runs already on the data folder “{folder}”, as process {holder}. "
            "Stop it first, or set MUSTER_DATA_DIR to another folder."
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
