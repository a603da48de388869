"""Starts Muster on a folder that it fills with an example school.

`python -m demo [FOLDER]`
"""

import os
import shutil
import socket
import sys
from pathlib import Path

from webapp.run import data_folder, program
from webapp.run.processes import end, spawn
from webapp.settings.fields import PREFIX, ConfigError
from webapp.supervisor import Supervisor

TAKEN_OVER = {"MUSTER_HOST", "MUSTER_PORT", "MUSTER_PUBLIC_URL", "MUSTER_LOG", "MUSTER_TIME_ZONE"}
"""Settings of the environment that are the demo's, too. All others are of an installation that it must not touch."""


def main(folder: Path) -> int:
    """The exit code, as that of the supervisor."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        if name not in TAKEN_OVER:
            del os.environ[name]
    os.environ["MUSTER_DATA_DIR"] = str(folder)
    os.environ["MUSTER_MAIL_URL"] = f"smtp://127.0.0.1:{port}"
    os.environ["MUSTER_MAIL_FROM"] = "Hillcrest School <muster@hillcrest.sch.uk>"
    mail_server = spawn([sys.executable, "-m", "demo.mail_server", port, str(folder / "inbox")])
    try:
        empty(folder)
        Supervisor(program.begin("muster"), ("-m", "demo.fill")).run()
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        end([mail_server], 1)
    return 0


def empty(folder: Path) -> None:
    """Make the demo's folder, or make it empty. Raises ConfigError where it is anything else, or a demo runs on it."""
    mark = folder / data_folder.DEMO
    if folder.exists():
        if not mark.is_file():
            raise ConfigError(
                f"“{folder}” is not the demo’s: move it away, or name another folder."
            )
        data_folder.lock(folder).close()
        shutil.rmtree(folder)
    data_folder.make(folder)
    mark.touch()


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2] or ["demo-data"]).absolute()))
