"""A PostgreSQL database as one file, by PostgreSQL's own programs `pg_dump` and `pg_restore`.

The password is handed over in the environment: arguments can be read by everybody on the machine.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from webapp.core.errors import ConflictError
from webapp.db import db
from webapp.services.settings import in_force

PROGRAMS = "PostgreSQL's client programs, of the server's version or newer (Debian: apt-get install postgresql-client)"


def dump(file: Path) -> None:
    """Write the database to `file`, as of one moment. Raises ConflictError."""
    _run("pg_dump", "--format=custom", "--exclude-table-data=batch_files", f"--file={file}")


def load(file: Path) -> None:
    """Put such a file into the database, which is empty, whole or not at all. Raises ConflictError."""
    if inspect(db.engine).get_table_names():
        raise ConflictError(
            "The database of MUSTER_DATABASE_URL has tables already: name an empty one."
        )
    _run("pg_restore", "--exit-on-error", "--single-transaction", str(file))


def _run(program: str, *arguments: str) -> None:
    url = make_url(in_force.environment().database_url)
    bare = url.set(drivername="postgresql")._replace(password=None)
    address = bare.difference_update_query(["password"]).render_as_string()
    environ = dict(os.environ)
    if url.password:
        environ["PGPASSWORD"] = url.password
    try:
        subprocess.run(
            [program, "--no-owner", f"--dbname={address}", *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            errors="replace",
        )
    except FileNotFoundError:
        raise ConflictError(
            f"{program} was not found, which the database needs. Install {PROGRAMS}, or use --without-database, "
            "where the database is kept by other means."
        ) from None
    except subprocess.CalledProcessError as failed:
        said = " ".join(failed.stderr.split()) or f"code {failed.returncode}"
        raise ConflictError(f"{program} failed: {said.rstrip('.')}. It needs {PROGRAMS}.") from None
