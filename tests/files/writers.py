"""Writers of workbooks: they know just enough of each format to be read by the programs that define it, and let a test
break any part. No clock and no library but zipfile: the same rows are always the same bytes."""

# ruff: noqa: E501 - what stands in a file is clearer on one line

import io
import struct
import zipfile
from xml.sax.saxutils import escape, quoteattr

OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def zipped(parts, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in parts.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else compression
            info.create_system = 3
            archive.writestr(info, text)
    return file.getvalue()


# ---- Excel 2007 and later (ECMA-376)

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
# Cell formats by number: 0 general, 1 a date, 2 a date with time, 3 a time, 4 hours beyond a day, 5 "00000".
STYLES = (
    f'<styleSheet xmlns="{MAIN}"><numFmts count="2"><numFmt numFmtId="164" formatCode="00000"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/></numFmts><cellXfs count="6">'
    + "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 165, 21, 46, 164))
    + "</cellXfs></styleSheet>"
)


def letters(place):
    return (chr(64 + place // 26) if place >= 26 else "") + chr(65 + place % 26)


def text_cell(text, attributes=""):
    return f'<c t="inlineStr"{attributes}><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def rows_xml(rows, top=1, left=0):
    """Rows of texts, or of ready-made <c> elements, from the given corner on; blank texts are no cells."""
    out = []
    for number, row in enumerate(rows, start=top):
        cells = "".join(
            (cell if cell.startswith("<c") else text_cell(cell)).replace("<c", f'<c r="{letters(place)}{number}"', 1)
            for place, cell in enumerate(row, start=left)
            if cell
        )
        out.append(f'<row r="{number}">{cells}</row>')
    return "".join(out)


def sheet_xml(data, dimension="", prologue=""):
    return f'<?xml version="1.0" encoding="UTF-8"?>{prologue}<worksheet xmlns="{MAIN}">{dimension}<sheetData>{data}</sheetData></worksheet>'


def xlsx(sheets, *, states=None, strings=None, date1904=False, extra=None, compression=zipfile.ZIP_DEFLATED):
    """`sheets`: name to rows, or to a whole sheet's XML. `states`: name to "hidden". `strings`: the shared strings'
    <si> elements. `extra`: parts to add or replace."""
    states = states or {}
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{n}" state="{states.get(name, "visible")}" r:id="rId{n}"/>'
        for n, name in enumerate(sheets, start=1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override '
        'PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" '
            'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
            for n in range(1, len(sheets) + 1)
        )
        + '<Override PartName="/xl/styles.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/>'
        '<Override PartName="/xl/sharedStrings.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">'
        f'<workbookPr date1904="{int(date1904)}"/><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{relations}'
        f'<Relationship Id="rId90" Type="{RELATIONS}/styles" Target="styles.xml"/>'
        f'<Relationship Id="rId91" Type="{RELATIONS}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{"".join(strings or ())}</sst>',
    }
    for n, rows in enumerate(sheets.values(), start=1):
        parts[f"xl/worksheets/sheet{n}.xml"] = rows if isinstance(rows, str) else sheet_xml(rows_xml(rows))
    return zipped(parts | (extra or {}), compression)


# ---- OpenDocument (OASIS ODF 1.2)

ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
ODS_NAMES = "".join(
    f' xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"), ("draw", "drawing"))
) + (
    ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"'
)  # fmt: skip


def ods_cell(text, attributes=""):
    """White space as the standard wants it: each line a paragraph, a run of spaces and each tab an element."""
    if not text:
        return "<table:table-cell/>"
    lines = escape(text).replace("\t", "<text:tab/>").replace(" ", "<text:s/>").split("\n")
    paragraphs = "".join(f"<text:p>{line}</text:p>" for line in lines)
    return f'<table:table-cell office:value-type="string"{attributes}>{paragraphs}</table:table-cell>'


def ods_rows(rows):
    return "".join(
        row
        if isinstance(row, str)
        else "<table:table-row>"
        + "".join(cell if cell.startswith("<table:") else ods_cell(cell) for cell in row)
        + "</table:table-row>"
        for row in rows
    )


def ods(sheets, *, hidden=(), manifest="", prologue="", kind=ODS_TYPE, extra=None):
    """`sheets`: name to rows; a row is a list of texts or ready-made cells, or a whole ready-made row."""
    tables = "".join(
        f'<table:table table:name={quoteattr(name)} table:style-name="{"ta2" if name in hidden else "ta1"}">'
        f"{ods_rows(rows)}</table:table>"
        for name, rows in sheets.items()
    )
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?>{prologue}<office:document-content{ODS_NAMES} office:version="1.2">'
        '<office:automatic-styles><style:style style:name="ta1" style:family="table"><style:table-properties '
        'table:display="true"/></style:style><style:style style:name="ta2" style:family="table"><style:table-properties '
        'table:display="false"/></style:style></office:automatic-styles>'
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    listed = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" manifest:version="1.2">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>'
        f'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">{manifest}</manifest:file-entry>'
        "</manifest:manifest>"
    )
    return zipped({"mimetype": kind, "META-INF/manifest.xml": listed, "content.xml": content} | (extra or {}))


# ---- Excel 97 (MS-XLS in MS-CFB)


def ole(streams):
    """A compound file: one sector of FAT for up to 127 sectors, no short sectors (streams are padded to 4096)."""
    chains, fat, body = {}, [0xFFFFFFFD], []
    for name, data in streams.items():
        data = data.ljust(4096, b"\0")
        sectors = -(-len(data) // 512)
        chains[name] = (len(fat), len(data))
        fat += [*range(len(fat) + 1, len(fat) + sectors), 0xFFFFFFFE]
        body.append(data.ljust(sectors * 512, b"\0"))
    directory = len(fat)

    def entry(name, kind, start, size, child=0xFFFFFFFF, right=0xFFFFFFFF):
        encoded = (name + "\0").encode("utf-16-le")
        return struct.pack(
            "<64sHBBIII16sI8s8sIII", encoded, len(encoded), kind, 1, 0xFFFFFFFF, right, child, b"", 0, b"", b"", start, size, 0
        )  # fmt: skip

    entries = [entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1)]
    for place, (name, (start, size)) in enumerate(chains.items(), start=1):
        entries.append(entry(name, 2, start, size, right=place + 1 if place < len(chains) else 0xFFFFFFFF))
    sectors = -(-len(entries) // 4)
    fat += [*range(directory + 1, directory + sectors), 0xFFFFFFFE]
    assert len(fat) <= 128
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII", OLE2, b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1, directory, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0
    )  # fmt: skip
    header += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    table = struct.pack("<128I", *fat, *[0xFFFFFFFF] * (128 - len(fat)))
    return header + table + b"".join(body) + b"".join(entries).ljust(sectors * 512, b"\0")


def record(kind, data=b""):
    return struct.pack("<HH", kind, len(data)) + data


def unicode_string(text, length="<H"):
    encoded = text.encode("utf-16-le")
    return struct.pack(length + "B", len(encoded) // 2, 1) + encoded


def xls(sheets, *, hidden=(), protected=False):
    """`sheets`: name to rows, from A1 on, of texts, numbers, booleans, None, ("date", number), ("error", code) or
    ("formula", its value)."""
    texts = list(dict.fromkeys(cell for rows in sheets.values() for row in rows for cell in row if isinstance(cell, str)))
    formats = [struct.pack("<HHHBBBBIIH", 0, number, 1, 0, 0, 0, 0, 0, 0, 0) for number in (0, 14)]

    def beginning(kind):
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0x0DBB, 0x07CC, 0, 6))

    def cell(row, column, value):
        at = struct.pack("<HHH", row, column, 0)
        match value:
            case bool():
                return record(0x0205, at + bytes([value, 0]))
            case int() if abs(value) < 1 << 29:
                return record(0x027E, at + struct.pack("<i", value << 2 | 2))  # RK
            case int() | float():
                return record(0x0203, at + struct.pack("<d", value))
            case str():
                return record(0x00FD, at + struct.pack("<I", texts.index(value)))
            case ("date", number):
                return record(0x0203, struct.pack("<HHHd", row, column, 1, number))
            case ("error", code):
                return record(0x0205, at + bytes([code, 1]))
            case ("formula", str(text)):
                formula = at + struct.pack("<BBIHHIH", 0, 0, 0, 0xFFFF, 0, 0, 3) + b"\x1e\x01\x00"
                return record(0x0006, formula) + record(0x0207, unicode_string(text))
            case ("formula", number):
                return record(0x0006, at + struct.pack("<dHIH", number, 0, 0, 3) + b"\x1e\x01\x00")
        return b""

    def sheet(rows):
        cells = b"".join(cell(r, c, value) for r, row in enumerate(rows) for c, value in enumerate(row))
        return beginning(0x0010) + cells + record(0x000A)

    bodies = [sheet(rows) for rows in sheets.values()]
    strings = struct.pack("<II", len(texts), len(texts)) + b"".join(map(unicode_string, texts))
    assert len(strings) < 8224
    head = beginning(0x0005) + (record(0x002F, struct.pack("<HHH", 1, 1, 1) + bytes(range(48))) if protected else b"")
    head += record(0x0042, struct.pack("<H", 1200)) + b"".join(record(0x00E0, each) for each in formats)
    names = [unicode_string(name, "<B") for name in sheets]
    tail = record(0x00FC, strings) + record(0x000A)
    at = len(head) + sum(len(name) + 10 for name in names) + len(tail)
    for name, (title, body) in zip(names, zip(sheets, bodies, strict=True), strict=True):
        head += record(0x0085, struct.pack("<IH", at, int(title in hidden)) + name)
        at += len(body)
    return ole({"Workbook": head + tail + b"".join(bodies)})
