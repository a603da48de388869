"""A PostgreSQL database as one file, by PostgreSQL's own programs `pg_dump`, `pg_restore` and `psql`.

The password is handed over in the environment: arguments can be read by everybody on the machine.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import inspect
from sqlalchemy.engine import URL, make_url

from webapp.core.errors import ConflictError
from webapp.db import db
from webapp.services.settings import in_force

DUMP = ("pg_dump", "--format=custom", "--no-owner", "--exclude-table-data=batch_files")
RESTORE = (
    "pg_restore",
    "--clean",
    "--if-exists",
    "--no-owner",
    "--exit-on-error",
    "--single-transaction",
)
RUN = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
HAVE_THEM = "Install PostgreSQL's client programs, of the server's version or newer (Debian: apt-get install postgresql-client)"


class ProgramFailedError(ConflictError):
    """The database was not dumped, or not put back; str() says why and what to do."""


def dump(file: Path) -> None:
    """Write the database to `file`, as of one moment. Raises ProgramFailedError."""
    _run(*DUMP, f"--file={file}", f"--dbname={_address()}")


def load(file: Path) -> None:
    """Put such a file in place of what the database holds, whole or not at all. Raises ProgramFailedError.

    `pg_restore --clean` drops only what the file has too: tables that a newer version made would stay and be in the way.
    """
    drop, fill = file.with_suffix(".drop.sql"), file.with_suffix(".fill.sql")
    names = inspect(db.engine).get_table_names()
    quote = db.engine.dialect.identifier_preparer.quote
    drop.write_text(
        "".join(f"DROP TABLE IF EXISTS {quote(name)} CASCADE;\n" for name in names),
        encoding="utf-8",
    )
    _run("pg_restore", "--clean", "--if-exists", "--no-owner", f"--file={fill}", str(file))
    _run(*RUN, f"--dbname={_address()}", f"--file={drop}", f"--file={fill}")


def is_empty() -> bool:
    """Whether the database has no tables."""
    return not inspect(db.engine).get_table_names()


def need(program: str) -> None:
    """Raises ProgramFailedError where that program is not there."""
    if not shutil.which(program):
        raise ProgramFailedError(
            f"{program} was not found, which the database needs. {HAVE_THEM}, or use --without-database, "
            "where the database is kept by other means."
        )


def dump_command() -> str:
    """What backs the database up by hand; the password is asked for, or comes from PGPASSWORD or ~/.pgpass."""
    return shlex.join([*DUMP, "--file=muster.dump", _address()])


def restore_command() -> str:
    """What puts such a backup back by hand."""
    return shlex.join([*RESTORE, f"--dbname={_address()}", "muster.dump"])


def _run(program: str, *arguments: str) -> None:
    need(program)
    password = make_url(in_force.environment().database_url).password
    environ = {**os.environ, "PGPASSWORD": str(password)} if password else dict(os.environ)
    ended = subprocess.run(
        [program, "--no-password", *arguments],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if ended.returncode:
        said = " ".join(ended.stderr.split()) or f"code {ended.returncode}"
        raise ProgramFailedError(
            f"{program} failed: {said.rstrip('.')}. Where its version is older than the server's: {HAVE_THEM}."
        )


def _address() -> str:
    """The database's, without the password."""
    url = make_url(in_force.environment().database_url)
    query = {name: value for name, value in url.query.items() if name != "password"}
    return URL.create(
        "postgresql", url.username, None, url.host, url.port, url.database, query
    ).render_as_string()
