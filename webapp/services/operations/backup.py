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
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from webapp import upgrade
from webapp.core.errors import ConflictError
from webapp.core.text.formatting import plural
from webapp.db import db, utcnow
from webapp.run import data_folder
from webapp.services.operations import dumps
from webapp.services.settings import in_force
from webapp.version import version

FORMAT = 1
MANIFEST, DATABASE, DUMP, OUTBOX = "muster-backup.json", "muster.db", "muster.dump", "outbox"
KEPT = ("audit_head", "secret_key")
"""Files of the data folder that belong to the database."""
UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    tarfile.TarError,
    sqlite3.Error,
    ValueError,
    KeyError,
    TypeError,
)
"""What a file raises that is no backup, or a damaged one."""


class BackupError(ConflictError):
    """Nothing was made, or nothing was put back; str() says why and what to do."""


# Made


def make(file: Path, *, force: bool = False, with_database: bool = True) -> list[str]:
    """Write a backup to `file`, whole or not at all, readable for its owner alone. -> lines to print. Raises BackupError.

    with_database: False leaves a PostgreSQL database out, where it is backed up by other means.
    """
    settings = in_force.environment()
    if not file.parent.is_dir():
        raise BackupError(
            f"There is no folder {file.parent}: make it, and have it belong to the user that Muster runs as."
        )
    if file.exists() and not force:
        raise BackupError(
            f"{file} is there already: choose another name, or replace it with --force."
        )
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".muster-backup-") as kept:
            folder = Path(kept)
            for name in KEPT:
                with suppress(FileNotFoundError):
                    shutil.copyfile(settings.data_dir / name, folder / name)
            about = _about()
            if source := _sqlite_file():
                _copy_database(source, folder / DATABASE)
            elif with_database:
                dumps.dump(folder / DUMP)
            written = folder / "backup"
            emails = _write(written, folder, about, settings.data_dir / OUTBOX)
            os.replace(written, file)
            data_folder.sync_folder(file.parent)
    except SQLAlchemyError as error:
        raise BackupError(
            "The database cannot be read: flask --app wsgi muster doctor says why."
        ) from error
    except dumps.ProgramFailedError as error:
        raise BackupError(str(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise BackupError(
            f"{file} could not be written: {getattr(error, 'strerror', None) or error}."
        ) from error
    with suppress(OSError):  # the backup is there all the same
        data_folder.note_backup(settings.data_dir, file)
    lines = [
        f"Wrote {file}, {file.stat().st_size / 1024**2:.1f} MB, with {plural(emails, 'email')} from the outbox."
    ]
    if "SECRET_KEY" in settings.given:
        lines.append(
            "MUSTER_SECRET_KEY is not in it: keep it apart, without it, second factors stop working and new links are needed."
        )
    if source is None and not with_database:
        lines.append(
            f"The database is not in it. Back it up now, after this, with: {dumps.dump_command()}"
        )
    lines.append("It opens every pending invitation: guard it like a password.")
    return lines


def _sqlite_file() -> Path | None:
    url = make_url(in_force.environment().database_url)
    return Path(url.database or "").resolve() if url.get_backend_name() == "sqlite" else None


def _about() -> dict[str, Any]:
    """What a backup says of itself."""
    revision = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    db.session.rollback()
    made = {"format": FORMAT, "made_at": utcnow().isoformat(), "version": version()}
    return made | {"database": db.engine.dialect.name, "revision": revision}


def _copy_database(source: Path, copy: Path) -> None:
    """One snapshot by SQLite's own means, while others write; it is looked through before it counts."""
    with closing(sqlite3.connect(f"{source.as_uri()}?mode=rw", uri=True, timeout=60)) as here:
        with closing(sqlite3.connect(copy)) as there:
            here.backup(there)
            _forget_files(there)
            _check_database(there)


def _forget_files(copy: sqlite3.Connection) -> None:
    """Uploaded files, and the columns that Muster does not use, stay in no backup. What is under review there can be reviewed
    and sent after a restore, but not read again; what waits for its columns is discarded."""
    copy.execute("PRAGMA secure_delete=ON")
    for statement in (
        "DELETE FROM batch_files",
        "UPDATE rows SET read_cells = '[]' WHERE batch_id IN (SELECT id FROM batches WHERE state = 'reviewing')",
        "UPDATE batches SET state = 'discarded' WHERE state = 'mapping'",
    ):
        copy.execute(statement)
    copy.commit()


def _check_database(database: sqlite3.Connection) -> None:
    (answer,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise sqlite3.DatabaseError(f"the database is damaged ({answer})")


def _write(written: Path, folder: Path, about: dict[str, Any], outbox: Path) -> int:
    """-> how many e-mails are in it."""
    (folder / MANIFEST).write_text(json.dumps(about, indent=1), encoding="ascii")
    n = 0
    with open(written, "wb", opener=data_folder.private_opener) as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=6) as archive:
            for name in (MANIFEST, *KEPT, DATABASE, DUMP):
                if (folder / name).exists():
                    archive.add(folder / name, name)
            for email in sorted(outbox.glob("*.eml")):
                # deleted meanwhile, as it is too old or its person was erased
                with suppress(FileNotFoundError):
                    archive.add(email, f"{OUTBOX}/{email.name}")
                    n += 1
        out.flush()
        os.fsync(out.fileno())
    return n


# Put back


def restore(file: Path, *, force: bool = False) -> list[str]:
    """Put a backup into the data folder, which is empty, or set aside what is there. -> lines to print. Raises BackupError.

    While the new files are made, the old ones stay as they are: what goes wrong before the last step changes nothing.
    """
    settings = in_force.environment()
    with (
        _lock_folder(settings.data_dir),
        tempfile.TemporaryDirectory(dir=settings.data_dir, prefix=".restore-") as kept,
    ):
        folder = Path(kept)
        try:
            about = _unpack(file, folder)
        except UNREADABLE as error:
            raise BackupError(
                f"{file} cannot be read as a backup ({error or type(error).__name__}). Nothing was changed."
            ) from error
        _refuse_misfit(about)
        used = _files_in_use(settings.data_dir)
        if used and not force:
            raise BackupError(
                f"{used[0]} is there already: restore into an empty folder, or set it aside with --force."
            )
        has_dump = (folder / DUMP).exists()
        if has_dump:
            _put_database_back(folder / DUMP, force=force)
        aside = _set_aside(used, settings.data_dir) if used else None
        for name in (*KEPT, OUTBOX):
            if (folder / name).exists():
                os.replace(folder / name, settings.data_dir / name)
        if target := _sqlite_file():
            _move(folder / DATABASE, target)
        data_folder.sync_folder(settings.data_dir)
        has_key = (settings.data_dir / "secret_key").exists() or "SECRET_KEY" in settings.given
    at = datetime.fromisoformat(about["made_at"])
    lines = [f"Restored the backup of {at:%Y-%m-%d %H:%M} UTC into {settings.data_dir}."]
    lines += [f"What was there lies in {aside}: delete it once all is well."] if aside else []
    if has_dump:
        lines.append("The database of MUSTER_DATABASE_URL was put back, too.")
    elif not target:
        lines.append(
            f"Now put the database back, before anything starts: {dumps.restore_command()}"
        )
    if not has_key:
        lines.append("The key is not in it: set MUSTER_SECRET_KEY as it was.")
    lines.append(
        "Start Muster. Emails that were waiting when the backup was made are sent, perhaps for the second time."
    )
    return lines


def _put_database_back(dump: Path, *, force: bool) -> None:
    """Raises BackupError, with the database as it was."""
    try:
        if not force and not dumps.is_empty():
            raise BackupError(
                "The database of MUSTER_DATABASE_URL has tables already: name an empty one, or replace its contents with --force."
            )
        dumps.load(dump)
    except SQLAlchemyError as error:
        raise BackupError(
            "The database cannot be reached: flask --app wsgi muster doctor says why."
        ) from error
    except dumps.ProgramFailedError as error:
        raise BackupError(f"{error} Nothing was changed.") from error


@contextmanager
def _lock_folder(folder: Path) -> Iterator[None]:
    try:
        lock: IO[str] = data_folder.lock(folder)
    except data_folder.DataFolderLockedError as held:
        raise BackupError(str(held)) from held
    with lock:
        yield


def _unpack(file: Path, folder: Path) -> dict[str, Any]:
    """The backup's files, in `folder`, each looked at; -> what it says of itself. Names of its own making are not followed."""
    with gzip.open(file) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            parent, _, name = member.name.rpartition("/")
            is_email = parent == OUTBOX and name.endswith(".eml")
            if not member.isreg() or not (
                is_email or member.name in (MANIFEST, DATABASE, DUMP, *KEPT)
            ):
                raise ValueError(f"it holds “{member.name}”")
            (folder / OUTBOX).mkdir(mode=0o700, exist_ok=True)
            source = archive.extractfile(member)
            assert source is not None
            with source, open(folder / member.name, "xb", opener=data_folder.private_opener) as out:
                shutil.copyfileobj(source, out)
                out.flush()
                os.fsync(out.fileno())
        while stream.read(1024**2):  # on to its end, where the checksum of all of it stands
            pass
    manifest = json.loads((folder / MANIFEST).read_text(encoding="ascii"))
    about = {
        name: manifest[name] for name in ("format", "made_at", "version", "database", "revision")
    }
    datetime.fromisoformat(about["made_at"])
    if (folder / DATABASE).exists():
        with closing(sqlite3.connect(folder / DATABASE)) as database:
            _check_database(database)
    elif about["database"] == "sqlite":
        raise ValueError("its database is missing")
    return about


def _refuse_misfit(about: dict[str, Any]) -> None:
    known = {script.revision for script in upgrade.scripts().walk_revisions()}
    if about["format"] != FORMAT or about["revision"] not in known:
        raise BackupError(
            f"This backup was made by Muster {about['version']}, which is newer: install that version first."
        )
    if (about["database"] == "sqlite") != (_sqlite_file() is not None):
        raise BackupError(
            f"This backup is of an installation on {about['database']}: set MUSTER_DATABASE_URL as it was there."
        )


def _files_in_use(data_dir: Path) -> list[Path]:
    """What a restore would replace; [] if the data folder was never used."""
    there = [data_dir / name for name in ("audit_head", OUTBOX)]
    if target := _sqlite_file():
        there += [target.with_name(target.name + end) for end in ("", "-wal", "-shm")]
    found = [path for path in there if path.exists()]
    return [*found, *(path for path in (data_dir / "secret_key",) if found and path.exists())]


def _set_aside(used: list[Path], data_dir: Path) -> Path:
    """-> the folder in which it lies now."""
    aside = data_dir / f"before-restore-{utcnow():%Y%m%d-%H%M%S}"
    aside.mkdir(mode=0o700)
    for path in used:
        shutil.move(path, aside / path.name)
    return aside


def _move(copy: Path, target: Path) -> None:
    """Into its place at once, also where that is on another disk."""
    temporary = target.with_name(f".{target.name}.restored")
    target.parent.mkdir(parents=True, exist_ok=True)
    with copy.open("rb") as source, open(temporary, "wb", opener=data_folder.private_opener) as out:
        shutil.copyfileobj(source, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, target)
    data_folder.sync_folder(target.parent)
