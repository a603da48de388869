"""Writes the workbooks of this folder, and the text files that are easier told than kept: python -m tests.files.make_corpus

Every byte is decided here (no clock, no library but zipfile), so that running it again changes nothing. The
writers know just enough of each format to be read by the programs that define it, and let a test break any part.
"""

# ruff: noqa: E501 - what stands in a file is clearer on one line

import io
import struct
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

FILES = Path(__file__).parent
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
    for prefix, name in (("office", "office"), ("table", "table"), ("text", "text"), ("style", "style"))
) + ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'  # fmt: skip


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


def ods(sheets, *, hidden=(), manifest="", prologue="", extra=None):
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
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS_TYPE}"/>'
        f'<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml">{manifest}</manifest:file-entry>'
        "</manifest:manifest>"
    )
    return zipped({"mimetype": ODS_TYPE, "META-INF/manifest.xml": listed, "content.xml": content} | (extra or {}))


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


# ---- the files

PEOPLE = [
    ["Email", "Role", "Groups"],
    ["ana@northfield.org", "Analyst", "Student Devices, Teacher Laptops"],
    ["bo@northfield.org", "Remote", ""],
]
PERSON = ["cy@northfield.org", "Remote", ""]


def cell(value, attributes=""):
    return f"<c{attributes}><v>{value}</v></c>"


def text_files():
    yield "entra-bulk-invite.csv", (
        "version:v1.0,,,\r\n"
        "Email address to invite [inviteeEmail] Required,Redirection url [inviteRedirectURL] Required,Role,"
        "Customized invitation message [customizedMessageBody]\r\n"
        "ana@northfield.org,https://myapps.example,Analyst,Hello\r\nbo@northfield.org,https://myapps.example,Remote,\r\n"
    )  # fmt: skip
    yield "title-and-blank-lines.csv", (
        "Staff list 2026,,\n,,\nQuestions? it@northfield.org,,\nEmail,Role,Groups\nana@northfield.org,Analyst,Loans\n"
    )  # fmt: skip
    yield "title-with-another-separator.csv", (
        "List, as of 1 May, for the portal\n\nE-Mail;Rolle;Gruppen\nana@northfield.org;Analyst;A, B\n"
    )  # fmt: skip
    yield "sep-line-and-title.csv", "sep=;\r\nStaff\r\n\r\nEmail;Role\r\nana@northfield.org;Analyst\r\n"
    yield "title-that-is-a-column-name.csv", "Teams\nName,E-mail,Access level\nAna,ana@northfield.org,Analyst\n"
    yield "group-called-team.csv", "Kontakt,Zugang,Wo\nana@northfield.org,Analyst,Team\nbo@northfield.org,Team,Loans\n"
    yield "tabs.tsv", "Email\tRole\tGroups\nana@northfield.org\tAnalyst\tA, B\n"
    yield "utf16-little-endian-no-bom.tsv", "Email\tRole\nana@northfield.org\tAnalyst\n".encode("utf-16-le")
    yield "windows-1252-typographic.csv", "Email,Role,Groups\nana@northfield.org,Analyst,“Best” – 5 €\n".encode("cp1252")
    yield "two-boms.csv", "\ufeff\ufeffEmail,Role\nana@northfield.org,Analyst\n"
    yield "everything-quoted.csv", '"Email";"Role";"Groups"\n"ana@northfield.org";"Analyst";"A, ""B"""\n'
    yield "mixed-line-ends.csv", "Email,Role\r\nana@northfield.org,Analyst\nbo@northfield.org,Remote\rcy@northfield.org,Remote"
    yield "names-with-addresses.csv", 'Email,Role\n"Silva, Ana <ana@northfield.org>",Analyst\nBo <bo@northfield.org>,Remote\n'
    yield "formulas.csv", "Email,Role,Groups\n=cmd|' /C calc'!A0,Analyst,+1\n@sum(A1),-1,'=2\n"
    yield "cyrillic-and-emoji.csv", "Email,Role,Groups\nаня@пример.рф,Analyst,📱 Планшеты\n"
    yield "marks-of-direction.csv", "Email,Role\n\u202aana@northfield.org\u202c,\u200fAnalyst\u200e\n"
    yield "thousand-empty-columns.csv", "Email,Role" + "," * 1000 + "\nana@northfield.org,Analyst" + "," * 1000 + "\n"
    yield "three-hundred-columns.csv", "Email,Role" + ",x" * 298 + "\nana@northfield.org,Analyst\n"
    yield "blank-rows-with-separators.csv", "Email,Role\n,\n , \nana@northfield.org,Analyst\n,\nbo@northfield.org,Remote\n,\n"
    yield "semicolons-in-groups.csv", "Email,Role,Groups\nana@northfield.org,Analyst,A; B; C; D; E\n"
    yield "one-column.csv", "Email\nana@northfield.org\nbo@northfield.org\n"
    yield (
        "google-forms.csv",
        ("Timestamp,Email Address,Which role do you need?\n2026/05/01 9:00:00 AM GMT+1,ana@northfield.org,Analyst\n"),
    )
    yield "csv-called-xlsx.xlsx", "Email,Role\nana@northfield.org,Analyst\n"
    yield "tabs-called-xls.xls", "Email\tRole\nana@northfield.org\tAnalyst\n".encode("utf-16")
    yield "web-page-called-xls.xls", "<html><table><tr><td>Email</td></tr></table></html>"
    yield "spreadsheet-xml-2003.xls", '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook/>'
    yield "picture-called-csv.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"
    yield "nothing.csv", ""
    yield "white-space.csv", " \r\n\t\r\n\u00a0\r\n"
    yield "zero-bytes.csv", b"Email,Role\nana@northfield.org,Ana\0lyst\n"
    yield "no-encoding.csv", b"Email,Role\nana\x81@northfield.org,Analyst\n"
    yield "latin-1-beside-utf-8.csv", "Email,Role\nana@northfield.org,Café\n".encode() + b"bo@northfield.org,Caf\xe9\n"


def excel_files():
    yield "plain.xlsx", xlsx({"People": PEOPLE})
    yield "xlsx-called-csv.csv", xlsx({"People": PEOPLE})
    shifted = sheet_xml(rows_xml(PEOPLE, top=5, left=2), '<dimension ref="C5:E7"/>')
    yield "table-in-the-middle.xlsx", xlsx({"People": shifted})
    people = rows_xml([*PEOPLE, [], PERSON])
    yield "dimension-too-small.xlsx", xlsx({"People": sheet_xml(people, '<dimension ref="A1"/>')})
    yield "dimension-too-large.xlsx", xlsx({"People": sheet_xml(people, '<dimension ref="A1:XFD1048576"/>')})
    yield "dimension-without-range.xlsx", xlsx({"People": sheet_xml(people, "<dimension/>")})
    hidden_row = people.replace('<row r="2">', '<row r="2" hidden="1">')
    yield "hidden-row.xlsx", xlsx({"People": sheet_xml(hidden_row)})
    yield "hidden-sheet.xlsx", xlsx({"Old": PEOPLE, "People": [*PEOPLE, PERSON]}, states={"Old": "hidden"})
    yield (
        "instructions-first.xlsx",
        xlsx(
            {
                "Read me": [["How to fill in"], ["One row a person"]],
                "People": PEOPLE,
                "Empty": [],
                "Lists": [["Role"], ["Analyst"]],
            }
        ),
    )
    yield "title-merged.xlsx", xlsx({"People": [["Staff list 2026"], [], *PEOPLE]})
    yield (
        "kinds-of-cells.xlsx",
        xlsx(
            {
                "People": sheet_xml(
                    rows_xml(
                        [
                            ["Email", "Role", "Groups", *"ABCDEFGHIJKLM"],
                            [
                                '<c t="s"><v>0</v></c>',
                                '<c t="str"><f>B9</f><v>Analyst</v></c>',
                                '<c t="s"><v>1</v></c>',
                                cell("7"),
                                cell("7.5"),
                                cell("0.30000000000000004"),
                                cell("4.4791234567E+11"),
                                '<c t="b"><v>1</v></c>',
                                '<c t="b"><v>0</v></c>',
                                '<c t="e"><f>VLOOKUP(1,2,3)</f><v>#N/A</v></c>',
                                cell("46024", ' s="1"'),
                                cell("46024.4375", ' s="2"'),
                                cell("0.4375", ' s="3"'),
                                cell("1.25", ' s="4"'),
                                "<c><f>1+1</f></c>",
                                text_cell("007"),
                            ],
                        ]
                    )
                )
            },
            strings=[
                "<si><t>ana@northfield.org</t></si>",
                "<si><r><t xml:space='preserve'>Student </t></r><r><rPr><b/></rPr><t>Devices</t></r><rPh sb='0' eb='1'><t>ignored</t></rPh></si>",
            ],
        ),
    )
    yield (
        "dates-since-1904.xlsx",
        xlsx(
            {"People": sheet_xml(rows_xml([["Email", "Role", "Since"], [*PERSON[:2], cell("44562", ' s="1"')]]))}, date1904=True
        ),
    )
    bare = "".join(
        "<row>" + "".join(text_cell(text) if text else "<c/>" for text in row) + "</row>"
        for row in [*PEOPLE, ["", "", ""], PERSON]
    )
    yield "cells-without-references.xlsx", xlsx({"People": sheet_xml(bare)})
    prefixed = sheet_xml(people).replace("<", "<x:").replace("<x:/", "</x:").replace("<x:?", "<?").replace("xmlns=", "xmlns:x=")
    yield "prefixed-names.xlsx", xlsx({"People": prefixed})
    unix = zipfile.ZipFile(io.BytesIO(xlsx({"People": PEOPLE})))
    yield "backslashes-in-names.xlsx", zipped({name.replace("/", "\\"): unix.read(name) for name in unix.namelist()})
    yield (
        "escaped-characters.xlsx",
        xlsx({"People": [PEOPLE[0], ["ana@northfield.org_x000D_", "Analyst", "A_x005F_B_x000D_\nC"]]}),
    )
    yield (
        "formulas-never-computed.xlsx",
        xlsx({"People": sheet_xml(rows_xml([PEOPLE[0], ["<c><f>X1</f></c>", "<c><f>X2</f></c>", "Loans"], PEOPLE[1]]))}),
    )
    yield "escaped-by-our-download.xlsx", xlsx({"People": [PEOPLE[0], ["'=ana@northfield.org", "'-", "'@Loans"]]})
    yield "stray-cell-far-below.xlsx", xlsx({"People": sheet_xml(people + '<row r="1048576"><c r="B1048576"><v>1</v></c></row>')})
    yield "empty-workbook.xlsx", xlsx({"Sheet1": [], "Sheet2": [["", " "]]})
    yield "header-only.xlsx", xlsx({"People": PEOPLE[:1]})
    yield "stray-cell-far-right.xlsx", xlsx({"People": sheet_xml(people + '<row r="9"><c r="XFD9"><v>1</v></c></row>')})
    yield "far-apart-cells.xlsx", xlsx({"People": sheet_xml(people + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')})
    yield "endless-rows.xlsx", xlsx({"People": sheet_xml(rows_xml(PEOPLE[:1]) + "<row><c><v>1</v></c></row>" * 100_001)})
    yield (
        "long-text-in-every-row.xlsx",
        xlsx(
            {"People": sheet_xml(rows_xml(PEOPLE[:1]) + '<row><c t="s"><v>0</v></c></row>' * 2000)},
            strings=[f"<si><t>{'x' * 32767}</t></si>"],
        ),
    )
    entity = '<!DOCTYPE worksheet [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'
    yield "external-entity.xlsx", xlsx({"People": sheet_xml(rows_xml(PEOPLE).replace("Remote", "&secret;"), prologue=entity)})
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    laughing = f'<!DOCTYPE sst [<!ENTITY l0 "ha">{laughs}]><sst xmlns="{MAIN}"><si><t>&l8;</t></si></sst>'
    yield "billion-laughs.xlsx", xlsx({"People": PEOPLE}, extra={"xl/sharedStrings.xml": laughing})
    whole = xlsx({"People": PEOPLE})
    yield "claims-four-gigabytes.xlsx", _with_size(whole, "xl/worksheets/sheet1.xml", 0xFFFFFFF0)
    yield "claims-ten-bytes.xlsx", _with_size(whole, "xl/worksheets/sheet1.xml", 10)
    yield "cut-off.xlsx", whole[: len(whole) * 2 // 3]
    yield "junk-called-xlsx.xlsx", b"PK\x03\x04" + bytes(range(256)) * 4
    yield "missing-string.xlsx", xlsx({"People": sheet_xml('<row r="1"><c r="A1" t="s"><v>5</v></c></row>')})
    yield "broken-xml.xlsx", xlsx({"People": sheet_xml("<row><c><v>1</row>")})
    yield "no-sheets.xlsx", xlsx({})
    yield "text-document-called-xlsx.xlsx", zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": "<w/>"})
    yield "archive-called-xlsx.xlsx", zipped({"people.csv": "Email,Role\nana@northfield.org,Analyst\n"})
    yield "password.xlsx", ole({"EncryptionInfo": bytes(range(200)), "EncryptedPackage": bytes(range(256)) * 20})


def _with_size(data, name, size):
    """The archive with another size claimed for a part in its directory."""
    directory = data.index(b"PK\x01\x02", data.rindex(b"PK\x03\x04"))
    at = data.index(name.encode(), directory) - 46 + 24
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


def open_document_files():
    yield "plain.ods", ods({"People": PEOPLE})
    filler = '<table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="1024"/></table:table-row>'
    person = (
        f"<table:table-row>{ods_cell('ana@northfield.org')}{ods_cell('Analyst')}"
        '<table:table-cell table:number-columns-repeated="1022"/></table:table-row>'
    )
    end = filler.replace('"3"', '"1048569"')
    yield "repeated-blanks.ods", ods({"People": [filler, PEOPLE[0], filler, person, end]})
    yield "hidden-sheet.ods", ods({"Old": PEOPLE, "People": [*PEOPLE, PERSON]}, hidden=("Old",))
    yield (
        "kinds-of-cells.ods",
        ods(
            {
                "People": [
                    ["Email", "Role", "Groups", *"ABCDEFG"],
                    [
                        '<table:table-cell office:value-type="string"><office:annotation><text:p>ask her</text:p></office:annotation>'
                        "<text:p>ana<text:span>@northfield</text:span>.org</text:p></table:table-cell>",
                        '<table:table-cell table:formula="of:=[.X1]" office:value-type="string" office:string-value="Analyst">'
                        "<text:p>Analyst</text:p></table:table-cell>",
                        '<table:table-cell office:value-type="string"><text:p>A,<text:line-break/>B</text:p></table:table-cell>',
                        '<table:table-cell office:value-type="float" office:value="7"><text:p>7.00</text:p></table:table-cell>',
                        '<table:table-cell office:value-type="percentage" office:value="0.5"><text:p>50%</text:p></table:table-cell>',
                        '<table:table-cell office:value-type="boolean" office:boolean-value="true"><text:p>WAHR</text:p></table:table-cell>',
                        '<table:table-cell office:value-type="date" office:date-value="2026-01-02"><text:p>02.01.26</text:p></table:table-cell>',
                        '<table:table-cell office:value-type="date" office:date-value="2026-01-02T10:30:00"><text:p>x</text:p></table:table-cell>',
                        '<table:table-cell table:formula="of:=1/0" office:value-type="string" office:string-value="" '
                        'calcext:value-type="error"><text:p>#DIV/0!</text:p></table:table-cell>',
                        '<table:table-cell table:formula="of:=NA()" office:value-type="float" office:value="0" '
                        'calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>',
                    ],
                ]
            }
        ),
    )
    spread = ods_rows(PEOPLE).replace("<table:", "\n    <table:").replace("</table:", "\n  </table:")
    yield "pretty-printed.ods", ods({"People": [spread + "<!-- <table:table-row> -->"]})
    yield (
        "endless-rows.ods",
        ods(
            {"People": [PEOPLE[0], person.replace("<table:table-row>", '<table:table-row table:number-rows-repeated="1000000">')]}
        ),
    )
    yield "password.ods", ods({"People": PEOPLE}, manifest='<manifest:encryption-data manifest:checksum="x"/>')
    yield (
        "external-entity.ods",
        ods(
            {"People": [*PEOPLE[:2], [ods_cell("bo@northfield.org"), ods_cell("X").replace("X", "&secret;"), ""]]},
            prologue='<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]>',
        ),
    )
    yield "text-document.odt", zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<x/>"})
    yield "flat.fods", f'<?xml version="1.0" encoding="UTF-8"?><office:document{ODS_NAMES}/>'


def excel_97_files():
    yield "plain.xls", xls({"People": PEOPLE})
    yield (
        "kinds-of-cells.xls",
        xls(
            {
                "Notes": [["Read me"]],
                "People": [
                    [],
                    [None, "Email", "Role", "Groups", *"ABCDEF"],
                    [
                        None,
                        "zoë@northfield.org",
                        ("formula", "Analyst"),
                        "Öl, Gas",
                        7,
                        7.5,
                        True,
                        ("date", 46024),
                        ("formula", 8.0),
                        ("error", 0x2A),
                    ],
                    [],
                    [None, *PERSON],
                ],
                "Old": PEOPLE,
            },
            hidden=("Old",),
        ),
    )
    yield "password.xls", xls({"People": PEOPLE}, protected=True)
    whole = xls({"People": PEOPLE})
    yield "cut-off.xls", whole[:1000]
    yield "text-document-called-xls.xls", ole({"WordDocument": b"\xec\xa5\xc1\0" * 50})
    yield "junk-called-xls.xls", OLE2 + bytes(range(256)) * 4


def all_files():
    for group in (text_files, excel_files, open_document_files, excel_97_files):
        for name, data in group():
            yield name, data.encode() if isinstance(data, str) else data


if __name__ == "__main__":
    for name, data in all_files():
        (FILES / name).write_bytes(data)
