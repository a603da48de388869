"""Opens the container of a workbook and removes from it what calamine stumbles over. Runs in the sandbox only."""

import codecs
import io
import re
import zipfile
from collections.abc import Sequence
from typing import NamedTuple
from xml.parsers import expat

from python_calamine import CalamineWorkbook

from webapp.core.files import workbook_excel, workbook_opendocument

_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
# in xl/, but a few programs have no folders
_WORKBOOK = re.compile(r"(?:.*/)?workbook\.(?:xml|bin)", re.IGNORECASE)
_PARTS = re.compile(r".*\.(?:xml|rels|bin)", re.IGNORECASE)
_PICTURES = re.compile(
    r"xl/(?:media|drawings|charts|theme|printersettings|externallinks|pivot[^/]*)/|xl/vba",
    re.IGNORECASE,
)
_MOST_MANIFEST = 1 << 20


class WorkbookRefusedError(Exception):
    """The word that goes back to the parent instead of the sheets."""


class Extras(NamedTuple):
    """What calamine does not tell of a sheet: its hidden rows, and (row, column, address) of cells with a mailto link."""

    hidden: Sequence[int] = ()
    links: Sequence[tuple[int, int, str]] = ()


Parts = dict[str, zipfile.ZipInfo]


def open_container(
    data: bytes, unpacked: int, entries: int
) -> tuple[str, CalamineWorkbook, dict[str, Extras]]:
    """The program, the workbook, and what calamine does not tell of its sheets, by their names."""
    if not data.startswith(b"PK"):
        if _has_file_pass(data):
            raise WorkbookRefusedError("password")
        return "Excel", CalamineWorkbook.from_filelike(io.BytesIO(data)), {}
    with zipfile.ZipFile(io.BytesIO(data)) as container:
        if len(container.infolist()) > entries:
            raise WorkbookRefusedError("large")
        # Some programs write \ between folders.
        parts = {
            part.filename.replace("\\", "/"): part
            for part in container.infolist()
            if not part.is_dir()
        }
        program, wanted = _choose_parts(container, parts)
        if any(part.flag_bits & 1 for part in wanted.values()):
            raise WorkbookRefusedError("password")
        if sum(part.file_size for part in wanted.values()) > unpacked:
            raise WorkbookRefusedError("large")
        contents = {name: _read_part(container, part) for name, part in wanted.items()}
    for name, content in contents.items():
        if name.lower().endswith((".xml", ".rels")) and b"<!DOCTYPE" in content:
            # entities, external ones among them: no spreadsheet program writes any
            raise WorkbookRefusedError("odd")
    extras = _prepare_excel(contents) if program == "Excel" else _prepare_open_document(contents)
    return program, CalamineWorkbook.from_filelike(_pack(contents)), extras


_BEGINNING = re.compile(rb"\x09\x08[\x08\x10]\x00\x00[\x05\x06]\x05\x00")


def _has_file_pass(data: bytes) -> bool:
    """Whether an .xls has a FilePass record among its first ones (MS-XLS 2.4.117): calamine says only "no workbook"."""
    beginning = _BEGINNING.search(data)
    if beginning is None:
        return False
    at = beginning.start()
    for _ in range(4):
        kind = int.from_bytes(data[at : at + 2], "little")
        if kind == 0x2F:
            return True
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "little")
    return False


def _choose_parts(container: zipfile.ZipFile, parts: Parts) -> tuple[str, Parts]:
    """The program, and the parts that are read."""
    if "[Content_Types].xml" in parts and any(map(_WORKBOOK.fullmatch, parts)):
        return "Excel", {
            name: part
            for name, part in parts.items()
            if _PARTS.fullmatch(name) and not _PICTURES.match(name)
        }
    manifest = b""
    if (entry := parts.get("META-INF/manifest.xml")) and entry.file_size < _MOST_MANIFEST:
        manifest = container.read(entry)
    kind = parts.get("mimetype")
    stated = container.read(kind) if kind and kind.file_size < 100 else manifest
    if _OPEN_DOCUMENT not in stated:
        raise WorkbookRefusedError("other")
    if b"encryption-data" in manifest:
        raise WorkbookRefusedError("password")
    return "OpenDocument", {name: part for name, part in parts.items() if name == "content.xml"}


def _read_part(container: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A part, no longer than it said it was."""
    part = container.read(entry)
    # XML may be so; calamine would find nothing in it
    if part.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        part = part.decode("utf-16").encode()
    return part


def _prepare_excel(contents: dict[str, bytes]) -> dict[str, Extras]:
    """Prepare each sheet in place. -> what calamine does not tell of it."""
    styles = next(
        (part for name, part in contents.items() if name.lower().endswith("styles.xml")), b""
    )
    formats = workbook_excel.read_formats(styles)
    sheets = workbook_excel.read_sheet_names(contents)
    extras = {}
    for name, part in contents.items():
        if name.lower().endswith(".xml") and not name.lower().endswith("sharedstrings.xml"):
            if name in sheets:
                links = workbook_excel.read_mail_links(name, contents)
                extras[sheets[name]] = Extras(workbook_excel.find_hidden_rows(part), links)
            contents[name] = workbook_excel.prepare_sheet(part, formats)
    return extras


def _prepare_open_document(contents: dict[str, bytes]) -> dict[str, Extras]:
    """Prepare the sheets in place. -> what calamine does not tell of them."""
    if "content.xml" not in contents:
        raise ValueError("no content")
    content = contents["content.xml"]
    expat.ParserCreate().Parse(content, True)  # calamine never ends where a table does not
    extras = {
        name: Extras(rows) for name, rows in workbook_opendocument.find_hidden_rows(content).items()
    }
    contents["content.xml"] = workbook_opendocument.prepare_content(content)
    contents["mimetype"] = _OPEN_DOCUMENT
    contents["META-INF/manifest.xml"] = b"<manifest/>"
    return extras


def _pack(contents: dict[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as package:
        # OpenDocument has it first
        for name in sorted(contents, key=lambda name: name != "mimetype"):
            package.writestr(name, contents.pop(name))
    file.seek(0)
    return file
