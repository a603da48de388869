"""`muster backup` and `restore`: everything in one file, and back."""

from __future__ import annotations

import contextvars
import gzip
import io
import json
import sqlite3
import tarfile
import threading
from contextlib import closing

import pytest
from webapp.db import begin_write, db, utcnow
from webapp.models import Group
from webapp.run import data_folder
from webapp.services.accounts import sessions
from webapp.services.audit import chain, events
from webapp.services.batches import upload
from webapp.services.directory import groups

from tests.client import Client
from tests.factories import make_group, make_invitation, make_persona, token_of
from tests.services.conftest import within


def run(app, command, *arguments):
    """-> the exit code and what was printed."""
    result = contextvars.Context().run(app.test_cli_runner().invoke, args=["muster", command, *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result.exit_code, result.output


def seal_all():
    while chain.seal():
        pass


def fill(app):
    """Somebody, something, an open invitation, an e-mail in the outbox, a log that is sealed. -> the invitation's token."""

    def filled():
        owner = make_persona("Owner")
        events.record(owner, "group.created", make_group("Exam Laptops"))
        token = token_of(make_invitation())
        db.session.commit()
        seal_all()
        return token

    (app.extensions["muster_settings"].data_dir / "outbox").mkdir()
    (app.extensions["muster_settings"].data_dir / "outbox" / "one.eml").write_bytes(b"Subject: one\r\n\r\n")
    return within(app, filled)


@pytest.fixture
def backed_up(install, tmp_path):
    """A backup, and the token of the invitation in it."""
    app = install()
    token = fill(app)
    code, said = run(app, "backup", tmp_path / "backup.tar.gz")
    assert code == 0, said
    return tmp_path / "backup.tar.gz", token


def test_what_was_backed_up_while_it_was_written_to_is_whole_again_in_another_folder(install, tmp_path):
    app, file = install(), tmp_path / "backup.tar.gz"
    token = fill(app)
    stop, written = threading.Event(), []

    def write():
        while not stop.is_set():
            name = f"Group {len(written)}"
            with app.app_context():
                owner = make_persona("Owner")
                begin_write()
                made = groups.create_groups([name], None)
                for group in made:
                    events.record(owner, "group.created", group)
                db.session.commit()
                chain.seal()
            written.append(name)

    writer = threading.Thread(target=contextvars.Context().run, args=(write,))
    writer.start()
    while len(written) < 3:
        pass
    before = len(written)
    code, said = run(app, "backup", file)
    stop.set()
    writer.join()
    assert code == 0, said
    assert file.stat().st_mode & 0o777 == 0o600
    assert abs((utcnow() - data_folder.last_backup(tmp_path / "data")).total_seconds()) < 60
    assert [path.name for path in tmp_path.iterdir() if "backup" in path.name] == ["backup.tar.gz"]

    new = install(folder="new", migrated=False)
    code, said = run(new, "restore", file)
    assert code == 0, said
    assert "before-restore" not in said
    new = install(folder="new", migrated=False)  # as it is started afterwards, with the key that was restored

    def look():
        names = set(db.session.scalars(db.select(Group.name)))
        assert len(names) > before
        assert names == {"Exam Laptops", *(f"Group {n}" for n in range(len(names) - 1))}, "one moment of it, without a gap"
        verdict = chain.verify()
        assert not verdict.problems
        owner = make_persona("Owner")
        seal_all()
        assert not chain.verify().problems
        return sessions.start_session(owner, "192.0.2.1", "pytest")

    session = within(new, look)
    with new.app_context():
        browser = Client(new)
        assert "northfield" in browser.get(f"/invitations/{token}").page.text
        browser.set_cookie(sid=session)
        assert "Exam Laptops" in browser.get("/groups").page.text
    assert (tmp_path / "new" / "outbox" / "one.eml").read_bytes() == b"Subject: one\r\n\r\n"
    assert (tmp_path / "new" / "secret_key").read_text() == (tmp_path / "data" / "secret_key").read_text()
    assert (tmp_path / "new" / "muster.db").stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_not_overwritten_unless_that_is_said(install, tmp_path):
    app, file = install(), tmp_path / "backup.tar.gz"
    file.write_text("precious")
    code, said = run(app, "backup", file)
    assert (code, file.read_text()) == (1, "precious")
    assert "is there already" in said
    file.unlink()
    assert run(app, "backup", file)[0] == 0
    assert tarfile.is_tarfile(file)


def test_what_cannot_be_written_leaves_nothing(install, tmp_path):
    app = install()
    code, said = run(app, "backup", tmp_path / "no such folder" / "x")
    assert code == 1
    assert "could not be written" in said
    code, said = run(install(folder="bare", migrated=False), "backup", tmp_path / "y")
    assert code == 1
    assert "The database cannot be read" in said
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".muster", "y"))]


def test_nothing_is_restored_while_muster_runs(install, backed_up, tmp_path):
    file, _ = backed_up
    app = install(folder="new", migrated=False)
    with data_folder.lock(tmp_path / "new"):
        code, said = run(app, "restore", file)
    assert code == 1
    assert "Muster runs already on the data folder" in said
    assert not (tmp_path / "new" / "muster.db").exists()


def test_what_is_there_is_not_replaced(install, backed_up):
    file, _ = backed_up
    app = install(folder="new")
    within(app, lambda: make_group("Only here"))
    code, said = run(app, "restore", file)
    assert code == 1
    assert "muster.db is there already: restore into an empty folder, or move what is there away." in said
    assert within(app, lambda: db.session.scalars(db.select(Group.name)).all()) == ["Only here"]


def test_a_backup_that_was_cut_off_changes_nothing(install, backed_up, tmp_path):
    file, _ = backed_up
    app = install(folder="new", migrated=False)
    whole = file.read_bytes()
    for part in (0.0, 0.2, 0.5, 0.9, 0.999):
        file.write_bytes(whole[: int(len(whole) * part)])
        code, said = run(app, "restore", file)
        assert code == 1, part
        assert "cannot be read as a backup" in said
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["secret_key", "up.lock"]


def test_a_backup_of_which_some_bytes_were_changed_changes_nothing(install, backed_up, tmp_path):
    file, _ = backed_up
    data = bytearray(file.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 32):  # one alone may mean the same, within a run of zeros
        data[place] ^= 0xFF
    file.write_bytes(data)
    code, said = run(install(folder="new", migrated=False), "restore", file)
    assert code == 1
    assert "cannot be read as a backup" in said
    assert not (tmp_path / "new" / "muster.db").exists()


def rewritten(file, change=None, **more):
    """The backup with a changed manifest, and with more members, by name."""
    out = io.BytesIO()
    with tarfile.open(file) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for member in old:
            data = old.extractfile(member).read()
            if member.name == "muster-backup.json" and change:
                data = json.dumps({**json.loads(data), **change}).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
        for name, kind in more.items():
            extra = tarfile.TarInfo(name)
            extra.type, extra.linkname = kind, "/etc/passwd"
            new.addfile(extra)
    file.write_bytes(out.getvalue())


def test_a_file_that_reaches_out_of_its_folder_is_refused(install, backed_up, tmp_path):
    file, _ = backed_up
    app = install(folder="new", migrated=False)
    whole = file.read_bytes()
    for name, kind in (
        ("../outside", tarfile.REGTYPE), ("outbox/../../x.eml", tarfile.REGTYPE),
        ("outbox/link.eml", tarfile.SYMTYPE), ("audit_head", tarfile.LNKTYPE),
    ):  # fmt: skip
        file.write_bytes(whole)
        rewritten(file, **{name: kind})
        code, said = run(app, "restore", file)
        assert code == 1, name
        assert "cannot be read as a backup" in said
        assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["secret_key", "up.lock"]


def test_backups_that_do_not_fit_are_refused(install, backed_up, tmp_path):
    file, _ = backed_up
    app = install(folder="new", migrated=False)
    whole = file.read_bytes()
    for change, words in (
        ({"revision": "9999"}, "which is newer"),
        ({"database": "postgresql"}, "set MUSTER_DATABASE_URL as it was there"),
        ({"database": None}, "set MUSTER_DATABASE_URL"),
    ):
        file.write_bytes(whole)
        rewritten(file, change)
        code, said = run(app, "restore", file)
        assert (code, words in said) == (1, True), said
    for junk in (b"no backup", gzip.compress(b"nor this"), gzip.compress(b"")):
        file.write_bytes(junk)
        assert "cannot be read as a backup" in run(app, "restore", file)[1]
    assert not (tmp_path / "new" / "muster.db").exists()


def test_a_key_of_the_environment_is_not_in_it_and_both_commands_say_so(install, tmp_path):
    app = install(SECRET_KEY="kept-somewhere-else-for-ever-and-ever")
    code, said = run(app, "backup", tmp_path / "b")
    assert code == 0
    assert "MUSTER_SECRET_KEY is not in it" in said
    with tarfile.open(tmp_path / "b") as archive:
        assert "secret_key" not in archive.getnames()


def test_an_uploaded_file_and_its_other_columns_are_in_no_backup(install, tmp_path):
    app, born = install(), "2010-02-03"
    file = f"Email,Born,Role\nana@northfield.example,{born},Analyst\n"

    def uploaded():
        owner = make_persona("Owner")
        ids = [upload.stage(text.encode(), "staff.csv", owner).id for text in (file, file.replace("Role", "Job"))]
        db.session.commit()
        return ids

    reviewed, waiting = within(app, uploaded)
    code, said = run(app, "backup", tmp_path / "backup.tar.gz")
    assert code == 0, said
    with tarfile.open(tmp_path / "backup.tar.gz") as archive:
        if "muster.db" not in archive.getnames():
            return  # a dump, which leaves the table of files out
        archive.extract("muster.db", tmp_path)
    assert born.encode() not in (tmp_path / "muster.db").read_bytes()
    with closing(sqlite3.connect(tmp_path / "muster.db")) as copy:
        states = dict(copy.execute("SELECT id, state FROM batches").fetchall())
    assert states == {reviewed: "reviewing", waiting: "discarded"}
