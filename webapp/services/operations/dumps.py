"""A PostgreSQL database as one file, by PostgreSQL's own programs `pg_dump`, `pg_restore` and `psql`.

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

DUMP = ("pg_dump", "--format=custom", "--no-owner", "--exclude-table-data=batch_files")
LOAD = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
PROGRAMS = "PostgreSQL's client programs, of the server's version or newer (Debian: apt-get install postgresql-client)"


def dump(file: Path) -> None:
    """Write the database to `file`, as of one moment. Raises ConflictError."""
    _run(*DUMP, f"--file={file}", _address())


def load(file: Path) -> None:
    """Put such a file in place of what the database holds, whole or not at all. Raises ConflictError.

    `pg_restore --clean` drops only what the file has too: tables that a newer version made would stay and be in the way.
    """
    drop, fill = file.with_suffix(".drop.sql"), file.with_suffix(".fill.sql")
    quote = db.engine.dialect.identifier_preparer.quote
    names = inspect(db.engine).get_table_names()
    drop.write_text("".join(f"DROP TABLE IF EXISTS {quote(name)} CASCADE;\n" for name in names))
    _run("pg_restore", "--clean", "--if-exists", "--no-owner", f"--file={fill}", str(file))
    _run(*LOAD, f"--file={drop}", f"--file={fill}", _address())


def is_empty() -> bool:
    """Whether the database has no tables."""
    return not inspect(db.engine).get_table_names()


def _run(program: str, *arguments: str) -> None:
    password = make_url(in_force.environment().database_url).password
    environ = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    try:
        subprocess.run(
            [program, *arguments],
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


def _address() -> str:
    """The database's, as PostgreSQL's programs take it, without the password."""
    url = make_url(in_force.environment().database_url)
    bare = (
        url.set(drivername="postgresql")
        .difference_update_query(["password"])
        ._replace(password=None)
    )
    return bare.render_as_string()
