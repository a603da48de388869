"""Somebody else's workbook costs what it may and no more, and what was written is what is read."""

import io
import json
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webapp.core.files import workbook
from webapp.core.files.cleaning import clean
from webapp.core.files.errors import UnreadableFileError
from webapp.core.files.source_file import open_file
from webapp.core.files.table import Line
from webapp.core.files.workbook import read_workbook

from tests.core.values import is_whole
from tests.files.make_corpus import FILES
from tests.files.writers import OLE2, ods, ods_cell, rows_xml, sheet_xml, text_cell, xls, xlsx
from tests.properties import fewer
from tests.reading import fact, read

PEOPLE = (FILES / "plain.xlsx").read_bytes()


LARGE = "This workbook holds too much to be read."
DAMAGED = "This workbook cannot be read. It is damaged, protected by a password, or not a workbook."


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableFileError) as refused:
        read_workbook(data)
    return refused.value.title


def name_of_sheet(data: bytes) -> str:
    return open_file(data)[0].name


def test_all_sheets_are_read():
    data = (FILES / "instructions-first.xlsx").read_bytes()
    found = read_workbook(data)
    assert found["program"] == "Excel"
    assert [(sheet["name"], len(sheet["records"]), sheet["records"][0]) for sheet in found["sheets"]] == [
        ("Read me", 2, [1, ["How to fill in"]]),
        ("People", 3, [1, ["Email", "Role", "Groups"]]),
        ("Lists", 2, [1, ["Role"]]),
    ]


def bomb(size: int) -> bytes:
    """A sheet of `size` bytes of white space, a thousandth of that when zipped."""
    with (
        zipfile.ZipFile(file := io.BytesIO(PEOPLE), "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/extra.xml", "w") as part,
    ):
        for _ in range(size >> 20):
            part.write(b" " * (1 << 20))
    return file.getvalue()


@pytest.mark.slow
def test_a_workbook_that_unpacks_to_too_much_is_refused():
    assert refusal(bomb(256 << 20)) == LARGE
    assert name_of_sheet(bomb(1 << 20)) == "People"


@pytest.mark.slow
def test_a_workbook_that_wants_more_memory_than_it_may_have_is_refused(monkeypatch):
    far_below = (FILES / "stray-cell-far-below.xlsx").read_bytes()
    assert name_of_sheet(far_below) == "People"
    monkeypatch.setitem(workbook.LIMITS, "memory", 100 << 20)
    assert name_of_sheet(PEOPLE) == "People"
    assert refusal(far_below) == LARGE


@pytest.mark.slow
def test_a_workbook_that_takes_more_time_than_it_may_is_stopped(monkeypatch):
    rows = "<row><c><v>1</v></c></row>" * 2_000_000
    data = xlsx({"People": sheet_xml(rows)})
    monkeypatch.setitem(workbook.LIMITS, "seconds", 1)
    assert refusal(data) == LARGE


def test_a_workbook_that_answers_with_more_than_is_kept_is_refused(monkeypatch):
    monkeypatch.setitem(workbook.LIMITS, "output", 10_000)
    assert name_of_sheet(PEOPLE) == "People"
    assert refusal(xlsx({"People": [["Email"], *[["a" * 100]] * 200]})) == LARGE


PROBE = """
import importlib.util, json, os, socket, sys
found = importlib.util.spec_from_file_location("child", {path!r})
child = importlib.util.module_from_spec(found)
found.loader.exec_module(child)
child._set_limits(json.loads(sys.argv[1]))
def tried(action):
    try:
        action()
    except OSError:
        return "refused"
    return "done"
sheets = [{{
    "name": " ".join([
        *sorted(set(os.environ) - {{"LC_CTYPE"}}),
        os.getcwd(),
        tried(lambda: open("/etc/hostname")),
        tried(lambda: open("/tmp/muster-probe", "w")),
        tried(socket.socket),
        tried(os.pipe),
    ]),
    "records": [[1, ["Email"]]], "hidden": [], "merged": [],
}}]
print(json.dumps({{"program": "Excel", "sheets": sheets}}))
"""


def test_the_child_has_no_files_no_network_and_nothing_of_our_environment(monkeypatch, tmp_path):
    probe = tmp_path / "probe.py"
    probe.write_text(PROBE.format(path=str(workbook._CHILD)))
    monkeypatch.setenv("MUSTER_SECRET_KEY", "secret")
    monkeypatch.setattr(workbook, "_CHILD", probe)
    assert name_of_sheet(PEOPLE) == "/ refused refused refused refused"


@pytest.mark.slow
def test_a_child_that_hangs_is_ended_and_one_that_babbles_is_not_believed(monkeypatch, tmp_path):
    child = tmp_path / "child.py"
    monkeypatch.setattr(workbook, "_CHILD", child)
    monkeypatch.setitem(workbook.LIMITS, "seconds", -9)  # ten more by the clock
    child.write_text("import time; time.sleep(60)")
    assert refusal(PEOPLE) == LARGE
    monkeypatch.setitem(workbook.LIMITS, "seconds", 5)
    child.write_text("")
    assert refusal(PEOPLE) == DAMAGED
    child.write_text("raise SystemError")
    assert refusal(PEOPLE) == DAMAGED
    child.write_text("import os; os.abort()")
    assert refusal(PEOPLE) == LARGE


def test_only_so_many_are_read_at_once(monkeypatch):
    monkeypatch.setattr(workbook, "WAIT", 0.1)
    for _ in range(workbook.MOST_AT_ONCE):
        workbook._turns.acquire()
    try:
        with pytest.raises(UnreadableFileError) as refused:
            read(PEOPLE)
    finally:
        for _ in range(workbook.MOST_AT_ONCE):
            workbook._turns.release()
    assert str(refused.value) == "Muster is reading other workbooks. Upload this one again in a minute."


def test_an_archive_of_more_entries_than_any_workbook_has_is_refused(monkeypatch):
    with zipfile.ZipFile(file := io.BytesIO(PEOPLE), "a") as archive:
        for number in range(10_001):
            archive.writestr(f"xl/media/{number}.png", b"")
    assert refusal(file.getvalue()) == LARGE
    assert name_of_sheet(PEOPLE) == "People"


GROWTH = """
import pathlib, resource, sys
from webapp.core.files.errors import UnreadableFileError
from tests.reading import read
data = pathlib.Path(sys.argv[1]).read_bytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read(data)
except UnreadableFileError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["far-apart-cells.xlsx", "long-text-in-every-row.xlsx", "claims-four-gigabytes.xlsx"])
def test_this_process_does_not_grow_with_a_hostile_workbook(name):
    ran = subprocess.run(
        [sys.executable, "-c", GROWTH, str(FILES / name)], capture_output=True, cwd=FILES.parent.parent, check=True, text=True
    )
    assert int(ran.stdout) < 10_000  # kilobytes


def test_a_part_that_is_locked_by_the_archive_itself_is_protected():
    data = bytearray(PEOPLE)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(signature, at + 1)) >= 0:
            data[at + flags] |= 1
    assert refusal(bytes(data)) == DAMAGED


# White space and quotes often; no control characters but those that XML can hold.
cells = st.text(
    st.sampled_from("\t\n '\"=+-@,;|&<>_x\u00a0") | st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=12
).filter(lambda text: "_x" not in text)  # _x000D_ means something in .xlsx: see escaped-characters.xlsx
rows = st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=40)
HEADER = ("Email", "Role", "Groups")


def check(data: bytes, program: str, people, top: int = 1, left: int = 0) -> None:
    cleaned = [(number, tuple(map(clean, row))) for number, row in enumerate(people, start=top + 1)]
    if expected := [Line(number, ("",) * left + row) for number, row in cleaned if any(row)]:
        table = read(data)
        assert (fact(table, "workbook")["format"], table.header_row, table.header) == (program, top, ("",) * left + HEADER)
        assert table.lines == expected
    else:
        with pytest.raises(UnreadableFileError):
            read(data)


@pytest.mark.slow
@fewer()
@given(rows, st.integers(1, 30), st.integers(0, 30), st.booleans())
def test_what_was_written_as_xlsx_is_read_back(people, top, left, shared):
    texts = list(dict.fromkeys(cell for row in (HEADER, *people) for cell in row))
    strings = ["<si>" + text_cell(text).split("<is>")[1].split("</is>")[0] + "</si>" for text in texts]

    def written(text):
        return "" if not text else f'<c t="s"><v>{texts.index(text)}</v></c>' if shared else text_cell(text)

    data = rows_xml([[written(cell) for cell in row] for row in (HEADER, *people)], top, left)
    check(xlsx({"People": sheet_xml(data)}, strings=strings), "Excel", people, top, left)


@pytest.mark.slow
@fewer()
@given(rows, st.integers(1, 30), st.integers(0, 30))
def test_what_was_written_as_ods_is_read_back(people, top, left):
    blank = f'<table:table-row table:number-rows-repeated="{top - 1}"><table:table-cell/></table:table-row>' * (top > 1)
    margin = [f'<table:table-cell table:number-columns-repeated="{left}"/>'] * (left > 0)
    lines = [margin + [ods_cell(cell) for cell in row] for row in (HEADER, *people)]
    check(ods({"People": [blank, *lines]}), "OpenDocument", people, top, left)


@pytest.mark.slow
@fewer()
@given(rows.map(lambda people: people[:15]))
def test_what_was_written_as_xls_is_read_back(people):
    check(xls({"People": [HEADER, *[[cell or None for cell in row] for row in people]]}), "Excel", people)


@st.composite
def broken(draw):
    """A workbook with a few bytes changed, or what only begins like one."""
    if draw(st.booleans()):
        return draw(st.sampled_from([b"PK\x03\x04", b"PK\x05\x06", OLE2])) + draw(st.binary(max_size=2000))
    name = draw(st.sampled_from(["kinds-of-cells.xlsx", "kinds-of-cells.xls", "kinds-of-cells.ods", "saved-by-libreoffice.xls"]))
    data = bytearray((FILES / name).read_bytes())
    for at, byte in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), min_size=1, max_size=8)):
        data[at] = byte
    return bytes(data[: draw(st.integers(1, len(data)))] if draw(st.booleans()) else data)


@pytest.mark.slow
@fewer(by=4)
@given(broken())
def test_whatever_a_workbook_holds_the_answer_is_a_table_or_a_sentence(data):
    try:
        table = read(data)
    except UnreadableFileError as refused:
        sentences = (refused.title, refused.advice)
    else:
        sentences = ()
        assert is_whole(table)
    assert all(sentence.endswith(".") for sentence in sentences)


def test_the_child_answers_in_plain_json(tmp_path):
    command = [sys.executable, "-I", str(workbook._CHILD), json.dumps(workbook.LIMITS)]
    with (FILES / "plain.ods").open("rb") as file:
        ran = subprocess.run(command, stdin=file, capture_output=True, check=True)
    [sheet] = json.loads(ran.stdout)["sheets"]
    assert (sheet["name"], sheet["records"][-1]) == ("People", [3, ["bo@northfield.org", "Remote"]])


REFUSES_ONE_LIMIT = """
import resource, runpy, sys

setrlimit = resource.setrlimit

def refuse(kind, limits):
    if kind == resource.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")
    print(kind, file=sys.stderr)
    setrlimit(kind, limits)

resource.setrlimit = refuse
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_where_the_system_refuses_a_limit_of_memory_workbooks_are_read_under_the_others():
    """As on macOS."""
    command = [sys.executable, "-I", "-c", REFUSES_ONE_LIMIT, str(workbook._CHILD), json.dumps(workbook.LIMITS)]
    done = subprocess.run(command, input=PEOPLE, capture_output=True, check=True)
    assert json.loads(done.stdout)["sheets"][0]["name"] == "People"
    assert len(done.stderr.split()) == 4
