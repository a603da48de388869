"""Everything that must be kept together, in one file; and put back.

A backup is made while Muster goes on. The order matters: first the last link of the audit log, so that the copy of the
database is never older than it; last the e-mails, so that none is missing that the database calls sent.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from webapp import upgrade
from webapp.core.errors import ConflictError
from webapp.db import db, utcnow
from webapp.run import data_folder
from webapp.services.settings import in_force
from webapp.version import version

MANIFEST, DATABASE, DUMP, OUTBOX = "muster-backup.json", "muster.db", "muster.dump", "outbox"
KEPT = ("audit_head", "secret_key")
"""Files of the data folder that belong to the database."""
PROGRAMS = "PostgreSQL's client programs, of the server's version or newer (Debian: apt-get install postgresql-client)"
ADVICE = {
    "pg_dump": f"Install {PROGRAMS}, or use --without-database, where the database is kept by other means.",
    "pg_restore": f"Install {PROGRAMS}. Nothing was changed.",
}


# Making one


def make(file: Path, *, with_database: bool = True) -> list[str]:
    """Write a backup to `file`, whole or not at all, readable for its owner alone. -> lines to print.

    with_database: False leaves a PostgreSQL database out, where it is backed up by other means. Raises ConflictError, and
    SQLAlchemyError where the database cannot be read.
    """
    settings = in_force.environment()
    if file.exists():
        raise ConflictError(f"{file} is there already: choose another name, or delete it.")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".muster-backup-") as folder:
            os.replace(_pack(Path(folder), with_database=with_database), file)
    except (OSError, sqlite3.Error) as error:
        raise ConflictError(f"{file} could not be written: {error}.") from error
    with suppress(OSError):  # the backup is there all the same
        data_folder.note_backup(settings.data_dir)
    lines = [f"Wrote {file}."]
    if "SECRET_KEY" in settings.given:
        lines.append(
            "MUSTER_SECRET_KEY is not in it: keep it apart, without it, second factors stop working and new links are needed."
        )
    lines.append("It opens every pending invitation: guard it like a password.")
    return lines


def _pack(folder: Path, *, with_database: bool) -> Path:
    """Pack everything. -> the archive, in this folder."""
    data_dir = in_force.environment().data_dir
    for name in KEPT:
        with suppress(FileNotFoundError):
            shutil.copyfile(data_dir / name, folder / name)
    archive = folder / "backup.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=6) as packed:
        about = {
            "made_at": utcnow().isoformat(timespec="minutes"),
            "version": version(),
            "database": db.engine.dialect.name,
            "revision": db.session.scalar(text("SELECT version_num FROM alembic_version")),
        }
        db.session.rollback()
        (folder / MANIFEST).write_text(json.dumps(about, indent=1))
        if _is_sqlite():
            _copy_database(folder / DATABASE)
        elif with_database:
            _run(
                "pg_dump",
                "--format=custom",
                "--exclude-table-data=batch_files",
                f"--file={folder / DUMP}",
            )
        for name in (MANIFEST, *KEPT, DATABASE, DUMP):
            _add(packed, folder / name, name)
        for email in (data_dir / OUTBOX).glob("*.eml"):
            _add(packed, email, f"{OUTBOX}/{email.name}")
    archive.chmod(0o600)
    os.sync()
    return archive


def _add(archive: tarfile.TarFile, file: Path, name: str) -> None:
    """Add a file, if there is one: an e-mail may be deleted meanwhile."""
    with suppress(FileNotFoundError), file.open("rb") as content:
        member = archive.gettarinfo(arcname=name, fileobj=content)
        member.mode = 0o600
        archive.addfile(member, content)


def _copy_database(copy: Path) -> None:
    """Make a snapshot by SQLite's own means, while others write, and check it.

    Uploaded files, and the columns that Muster does not use, stay in no backup. What is under review there can be reviewed
    and sent after a restore, but not read again; what waits for its columns is discarded.
    """
    with (
        closing(sqlite3.connect(_sqlite_file(), timeout=60)) as here,
        closing(sqlite3.connect(copy)) as there,
    ):
        here.backup(there)
        there.executescript(
            """
            PRAGMA secure_delete=ON;
            DELETE FROM batch_files;
            UPDATE rows SET read_cells = '[]' WHERE batch_id IN (SELECT id FROM batches WHERE state = 'reviewing');
            UPDATE batches SET state = 'discarded' WHERE state = 'mapping';
            """
        )
    _check_database(copy)


def _check_database(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"the database is damaged ({answer})")


# Putting one back


def restore(file: Path) -> list[str]:
    """Put a backup into the data folder, which was never used. -> lines to print.

    What goes wrong before the last step changes nothing. Raises ConflictError.
    """
    data_dir = in_force.environment().data_dir
    with (
        data_folder.lock(data_dir),
        tempfile.TemporaryDirectory(dir=data_dir, prefix=".restore-") as kept,
    ):
        folder = Path(kept)
        try:
            about = _unpack(file, folder)
        except Exception as error:
            raise ConflictError(
                f"{file} cannot be read as a backup ({error or type(error).__name__}). Nothing was changed."
            ) from error
        moves = {folder / name: data_dir / name for name in (*KEPT, OUTBOX)}
        if _is_sqlite():
            moves[folder / DATABASE] = _sqlite_file()
        for used in moves.values():
            if used.exists() and used.name != "secret_key":
                raise ConflictError(
                    f"{used} is there already: restore into an empty folder, or move what is there away."
                )
        has_dump = (folder / DUMP).exists()
        if has_dump:
            if inspect(db.engine).get_table_names():
                raise ConflictError(
                    "The database of MUSTER_DATABASE_URL has tables already: name an empty one."
                )
            _run("pg_restore", "--exit-on-error", "--single-transaction", str(folder / DUMP))
        for source, target in moves.items():
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(source, target)
        os.sync()
    lines = [f"Restored the backup of {about['made_at']} into {data_dir}."]
    if has_dump:
        lines.append("The database of MUSTER_DATABASE_URL was put back, too.")
    elif not _is_sqlite():
        lines.append("The database is not in it: put it back before anything starts.")
    if not (data_dir / "secret_key").exists():
        lines.append("The key is not in it: set MUSTER_SECRET_KEY as it was.")
    lines.append(
        "Start Muster. Emails that were waiting when the backup was made are sent, perhaps for the second time."
    )
    return lines


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    """Unpack a backup into a folder and check it. -> what it says of itself."""
    with gzip.open(file) as stream:
        while stream.read(1024**2):  # its checksum stands at the end
            pass
    with tarfile.open(file) as archive:
        for member in archive:
            _unpack_member(archive, member, folder)
    about: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    if about["database"] == "sqlite":
        _check_database(folder / DATABASE)
    if about["revision"] not in upgrade.revisions():
        raise ValueError(
            f"it was made by Muster {about['version']}, which is newer: install that version first"
        )
    if (about["database"] == "sqlite") != _is_sqlite():
        raise ValueError(
            f"it is of an installation on {about['database']}: set MUSTER_DATABASE_URL as it was there"
        )
    return about


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Write one file of a backup. tarfile's own filters are too new: Debian 12 has Python 3.11.2.

    Raises ValueError where it is no file, or would be outside of the folder.
    """
    content = archive.extractfile(member)
    target = (folder / member.name).resolve()
    if not member.isfile() or content is None or not target.is_relative_to(folder.resolve()):
        raise ValueError(f"it holds {member.name}, which no backup holds")
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with content, target.open("wb") as file:
        shutil.copyfileobj(content, file)
    target.chmod(0o600)


# The database


def _is_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


def _sqlite_file() -> Path:
    return Path(db.engine.url.database or "").resolve()


def _run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs. It gets the password in the environment: everybody on the machine can read arguments."""
    from psycopg.conninfo import make_conninfo

    url = db.engine.url
    options = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    environ = dict(os.environ)
    if password := options.pop("password", None):
        environ["PGPASSWORD"] = password
    try:
        subprocess.run(
            [program, "--no-owner", f"--dbname={make_conninfo(**options)}", *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip()
        raise ConflictError(f"{program} failed: {said} {ADVICE[program]}") from None
