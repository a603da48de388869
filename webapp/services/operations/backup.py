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
import tarfile
import tempfile
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.engine import make_url

from webapp import upgrade
from webapp.core.errors import ConflictError
from webapp.core.text.formatting import plural
from webapp.db import db, utcnow
from webapp.run import data_folder
from webapp.services.operations import dumps
from webapp.services.settings import in_force
from webapp.version import version

MANIFEST, DATABASE, DUMP, OUTBOX = "muster-backup.json", "muster.db", "muster.dump", "outbox"
KEPT = ("audit_head", "secret_key")
"""Files of the data folder that belong to the database."""


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
            made = _fill(Path(folder), with_database=with_database)
            emails = len(list((Path(folder) / OUTBOX).iterdir()))
            os.replace(made, file)
            os.sync()
    except (OSError, sqlite3.Error) as error:
        raise ConflictError(f"{file} could not be written: {error}.") from error
    with suppress(OSError):  # the backup is there all the same
        data_folder.note_backup(settings.data_dir, file)
    size = file.stat().st_size / 1024**2
    lines = [f"Wrote {file}, {size:.1f} MB, with {plural(emails, 'email')} from the outbox."]
    if "SECRET_KEY" in settings.given:
        lines.append(
            "MUSTER_SECRET_KEY is not in it: keep it apart, without it, second factors stop working and new links are needed."
        )
    if not _sqlite_file() and not with_database:
        lines.append("The database is not in it: back it up now, after this.")
    lines.append("It opens every pending invitation: guard it like a password.")
    return lines


def _fill(folder: Path, *, with_database: bool) -> Path:
    """Gather everything in a folder and pack it. -> the archive, in that folder."""
    data_dir = in_force.environment().data_dir
    for name in KEPT:
        with suppress(FileNotFoundError):
            shutil.copyfile(data_dir / name, folder / name)
    revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    db.session.rollback()
    about = {
        "made_at": utcnow().isoformat(),
        "version": version(),
        "database": db.engine.dialect.name,
        "revision": revision,
    }
    (folder / MANIFEST).write_text(json.dumps(about, indent=1))
    if source := _sqlite_file():
        _copy_database(source, folder / DATABASE)
    elif with_database:
        dumps.dump(folder / DUMP)
    (folder / OUTBOX).mkdir()
    for email in (data_dir / OUTBOX).glob("*.eml"):
        # deleted meanwhile, as it is too old or its person was erased
        with suppress(FileNotFoundError):
            shutil.copyfile(email, folder / OUTBOX / email.name)
    archive = folder / "backup.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=6) as packed:
        for name in (MANIFEST, *KEPT, DATABASE, DUMP):
            if (folder / name).exists():
                packed.add(folder / name, name)
        for email in sorted((folder / OUTBOX).iterdir()):
            packed.add(email, f"{OUTBOX}/{email.name}")
    archive.chmod(0o600)
    os.sync()
    return archive


def _sqlite_file() -> Path | None:
    url = make_url(in_force.environment().database_url)
    return Path(url.database or "").resolve() if url.get_backend_name() == "sqlite" else None


def _copy_database(source: Path, copy: Path) -> None:
    """Make a snapshot by SQLite's own means, while others write, and check it.

    Uploaded files, and the columns that Muster does not use, stay in no backup. What is under review there can be reviewed
    and sent after a restore, but not read again; what waits for its columns is discarded.
    """
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True, timeout=60)) as here,
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
        _check_database(there)


def _check_database(database: sqlite3.Connection) -> None:
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
        _refuse_misfit(about)
        target = _sqlite_file()
        for used in (data_dir / "audit_head", data_dir / OUTBOX, target):
            if used and used.exists():
                raise ConflictError(
                    f"{used} is there already: restore into an empty folder, or move what is there away."
                )
        has_dump = (folder / DUMP).exists()
        if has_dump:
            dumps.load(folder / DUMP)
        lines = [f"Restored the backup of {about['made_at']:%Y-%m-%d %H:%M} UTC into {data_dir}."]
        for name in (*KEPT, OUTBOX):
            if (folder / name).exists():
                os.replace(folder / name, data_dir / name)
        if target:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder / DATABASE, target)
        os.sync()
    if has_dump:
        lines.append("The database of MUSTER_DATABASE_URL was put back, too.")
    elif not target:
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
        members = archive.getmembers()
        names = {member.name for member in members}
        for member in members:
            parent, _, name = member.name.rpartition("/")
            is_email = parent == OUTBOX and name.endswith(".eml")
            is_ours = is_email or member.name in (MANIFEST, DATABASE, DUMP, *KEPT)
            if not (member.isreg() and is_ours) or len(names) < len(members):
                raise ValueError(f"it holds “{member.name}”")
            member.mode = 0o600
        archive.extractall(folder, filter="data")
    about: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    about["made_at"] = datetime.fromisoformat(about["made_at"])
    if about["database"] == "sqlite":
        with closing(sqlite3.connect(f"{(folder / DATABASE).as_uri()}?mode=rw", uri=True)) as copy:
            _check_database(copy)
    return about


def _refuse_misfit(about: dict[str, Any]) -> None:
    known = {script.revision for script in upgrade.scripts().walk_revisions()}
    if about["revision"] not in known:
        raise ConflictError(
            f"This backup was made by Muster {about['version']}, which is newer: install that version first."
        )
    if (about["database"] == "sqlite") != (_sqlite_file() is not None):
        raise ConflictError(
            f"This backup is of an installation on {about['database']}: set MUSTER_DATABASE_URL as it was there."
        )
