"""Writes the workbooks of this folder, and the text files that are easier told than kept: python -m tests.files.make_corpus

Every byte is decided here and in `writers`, so that running it again changes nothing.
"""

# ruff: noqa: E501 - what stands in a file is clearer on one line

import io
import struct
import zipfile
from pathlib import Path

from tests.files.writers import (
    MAIN,
    ODS_NAMES,
    ODS_TYPE,
    OLE2,
    RELATIONS,
    ods,
    ods_cell,
    ods_rows,
    ole,
    rows_xml,
    sheet_xml,
    text_cell,
    xls,
    xlsx,
    zipped,
)

FILES = Path(__file__).parent

PEOPLE = [
    ["Email", "Role", "Groups"],
    ["ana@northfield.org", "Analyst", "Student Devices, Teacher Laptops"],
    ["bo@northfield.org", "Remote", ""],
]
PERSON = ["cy@northfield.org", "Remote", ""]


STRICT_MAIN = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_RELATIONS = b"http://purl.oclc.org/ooxml/officeDocument/relationships"


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
    yield from more_text_files()
    yield "no-encoding.csv", b"Email,Role\nana\x81@northfield.org,Analyst\n"
    yield "latin-1-beside-utf-8.csv", "Email,Role\nana@northfield.org,Café\n".encode() + b"bo@northfield.org,Caf\xe9\n"


def more_text_files():
    ana, bo = "ana@northfield.org", "bo@northfield.org"
    yield "file-behind-another.csv", f'\ufeffName,Email,Role\r\n"Silva, Ana",{ana},Analyst\r\n\ufeff"Lind, Bo",{bo},Remote\r\n'
    yield "mark-told-as-text.csv", f"ï»¿Email,Role\n{ana},Analyst\n"
    yield "whole-lines-in-quotes.csv", f'"Email,Role,Groups"\n"{ana},Analyst,""A, B"""\n"{bo},Remote,"\n'
    yield "some-lines-in-quotes.csv", f'Email,Role,Groups\n"{ana},Analyst,""A, B"""\n{bo},Remote,\n'
    yield "spaces-behind-quotes.csv", f'"Email" , "Role" , "Groups"\n"{ana}" , "Analyst" , "A, B" \n'
    yield "typographic-quotes.csv", f"Email,Role,Groups\n“{ana}”,Analyst,“A”\n"
    yield "quote-within.csv", f'Email,Role,Groups\n{ana},Analyst,15" screens\n{bo},Remote,"5"" and 7"""\n'
    yield "quotes-not-doubled.csv", f'Email,Role,Groups\n{ana},Analyst,"The "best" ones"\n'
    yield "comments-above.csv", f"# Email, Role, Groups are needed\n#\nEmail,Role\n{ana},Analyst\n"
    yield "powershell.csv", f'#TYPE Microsoft.ActiveDirectory.Management.ADUser\r\n"Mail","Role"\r\n"{ana}","Analyst"\r\n'
    yield "remarks-and-total.csv", f"Email,Role\n{ana},Analyst\n# new ones\n{bo},Remote\n\nTotal: 2,\n"
    yield "header-repeated.csv", f"Email,Role\n{ana},Analyst\nEmail,Role\n{bo},Remote\n"
    yield "two-tables.csv", f"Email,Role\n{ana},Analyst\n\nEmail,Role,Groups\n{bo},Remote,A\n"
    yield "title-above-unknown-names.csv", f"Staff, as of May, by IT\n\nWer;Was;Wo\n{ana};Analyst;A, B, C, D\n"
    yield "no-names-of-columns.csv", f"Email,,\n{ana},Analyst,A\n{bo},Remote\n"
    yield "deep-below-blank-lines.csv", "Staff\n" + "\n" * 30 + f"Email;Role\n{ana};Analyst\n"
    yield "separators-only.csv", ",,,\n;;;\n"
    yield "utf16-cyrillic-no-bom.tsv", f"Email\tРоль\tГруппы\n{ana}\tАналитик\tПланшеты учеников\n".encode("utf-16-le")
    yield "utf16-japanese.csv", f"メールアドレス,ロール,グループ\n{ana},Analyst,生徒用端末\n".encode("utf-16")
    yield "utf16-sep-line.csv", f"sep=;\r\nEmail;Role\r\n{ana};Analyst\r\n".encode("utf-16")
    yield "utf32.csv", f"Email,Role\n{ana},Analyst\n".encode("utf-32")
    yield "shift-jis.csv", f"名前,Email,Role\n太郎,{ana},Analyst\n".encode("cp932")
    yield "windows-1250.csv", f"Imię;Adres e-mail;Rola\r\nŁucja;{ana};Analyst\r\n".encode("cp1250")
    yield "line-separators-of-unicode.csv", f"Email,Role,Groups\n{ana}\x0b,Analyst\x0c,A\u2028B\x85C\n"
    yield "end-of-file-mark.csv", f"Email,Role\r\n{ana},Analyst\r\n\x1a"
    yield "wrapped-by-a-mailer.csv", f"Email,Role\r\r\n{ana},Analyst\r\r\n"
    yield "soft-and-hidden.csv", f"Em\ufeffail,Ro\u00adle,\u200eGroups\n\u2066{ana}\u2069,\u200bAnalyst,\u00a0A\u00a0B\u00a0\n"
    yield "turkish.csv", f"EMAİL;KULLANICI ROLÜ;GRUPLAR\n{ana};Analyst;Öğrenci ışığı\n"
    yield "units-in-names.csv", f'"E-mail\n(work)",Role*,"Groups, if any"\n{ana},Analyst,A\n'
    yield "markdown.csv", f"| Email | Role |\n|---|---|\n| {ana} | Analyst |\n"
    yield "okta.csv", (
        '"User ID","Username","First name","Primary email","Status","Groups"\n'
        f'"00u1","{ana}","Ana","{ana}","ACTIVE","Everyone;Loans"\n'
    )  # fmt: skip
    yield "moodle.csv", f"username,firstname,lastname,email,course1,role1,cohort1\nana,Ana,Silva,{ana},M1,student,C1\n"
    yield "slack.csv", f"username,email,status,billing-active,userid,fullname\nana,{ana},Member,1,U1,Ana Silva\n"
    yield "canvas.csv", f"user_id,login_id,full_name,email,status\nu1,ana,Ana Silva,{ana},active\n"
    yield "microsoft-365.csv", (
        '\ufeff"Block credential","Display name","Licenses","Proxy addresses","User principal name"\r\n'
        f'"False","Ana","A3","SMTP:{ana}+smtp:{bo}","{ana}"\r\n'
    )  # fmt: skip
    yield "zoom.csv", f"Email,First Name,Department,User Groups,Licenses,Role\n{ana},Ana,Math,A,Basic,Analyst\n"
    yield "mail-called-xls.xls", "MIME-Version: 1.0\nX-Document-Type: Workbook\nContent-Type: text/html\n\n<html></html>\n"
    yield "list.json", f'[\n  "{ana}",\n  "{bo}"\n]\n'
    yield "users.xml", f'<users>\n<user email="{ana}"/>\n</users>\n'
    yield "cards.vcf", f"BEGIN:VCARD\nVERSION:3.0\nEMAIL:{ana}\nEND:VCARD\n"
    yield "database.csv", b"SQLite format 3\0" + bytes(range(256)) * 2


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
    rows = people.split("</row>")
    yield "rows-out-of-order.xlsx", xlsx({"People": sheet_xml("</row>".join([rows[1], rows[0], *rows[2:]]))})
    yield "row-in-two-pieces.xlsx", xlsx({"People": sheet_xml(people.replace('<c r="B2"', '</row><row r="2"><c r="B2"'))})
    yield (
        "text-as-cdata.xlsx",
        xlsx({"People": sheet_xml(people.replace("ana@northfield.org", "<![CDATA[ana@northfield.org]]>"))}),
    )
    yield (
        "lines-of-csv.xlsx",
        xlsx({"People": [["Email;Role;Groups"], ["ana@northfield.org;Analyst;A, B"], [], ["bo@northfield.org;Remote;"]]}),
    )
    yield "two-tables.xlsx", xlsx({"People": [["Email", "Role"], PEOPLE[1][:2], [], *PEOPLE[::2]]})
    yield "long-cell.xlsx", xlsx({"People": [*PEOPLE, ["cy@northfield.org", "Remote", "x" * 200_000]]})
    yield "no-names-of-columns.xlsx", xlsx({"People": [["Email"], *PEOPLE[1:]]})
    strict = {
        name: unix.read(name).replace(MAIN.encode(), STRICT_MAIN).replace(RELATIONS.encode(), STRICT_RELATIONS)
        for name in unix.namelist()
    }
    yield "strict.xlsx", zipped(strict)
    wide = {
        name: unix.read(name).decode().replace("UTF-8", "UTF-16").encode("utf-16") for name in unix.namelist() if "sheet1" in name
    }
    yield "parts-in-utf16.xlsx", xlsx({"People": PEOPLE}, extra=wide)
    locked = sheet_xml(rows_xml(PEOPLE)).replace(
        "</sheetData>",
        '</sheetData><sheetProtection password="CC1A" sheet="1" objects="1"/><mergeCells count="1"><mergeCell ref="C2:C3"/></mergeCells>',
    )
    yield "protected-sheet-with-merged-cells.xlsx", xlsx({"People": locked})
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
    header, *people = (ods_rows([row]) for row in PEOPLE)
    grouped = f"<table:table-header-rows>{header}</table:table-header-rows><table:table-row-group>{''.join(people)}</table:table-row-group>"
    yield "header-to-repeat-and-groups.ods", ods({"People": [grouped]})
    yield (
        "person-repeated.ods",
        ods({"People": [PEOPLE[0], people[0].replace("<table:table-row>", '<table:table-row table:number-rows-repeated="3">')]}),
    )
    note = "<draw:frame><draw:text-box><text:p>Ask her<draw:a/></text:p></draw:text-box></draw:frame>"
    linked = '<text:a xlink:href="mailto:ana@northfield.org">ana@northfield.org</text:a>'
    first = f'<table:table-cell office:value-type="string">{note}<text:p>{linked}</text:p></table:table-cell>'
    covered = ods_cell("Analyst", ' table:number-columns-spanned="2"') + "<table:covered-table-cell/>"
    yield "shape-link-and-merged-cell.ods", ods({"People": [PEOPLE[0], f"<table:table-row>{first}{covered}</table:table-row>"]})
    yield "template-of-openoffice.ots", ods({"People": PEOPLE}, kind=ODS_TYPE + "-template")
    whole = zipfile.ZipFile(io.BytesIO(ods({"People": PEOPLE}))).read("content.xml")
    yield "table-without-end.ods", ods({}, extra={"content.xml": whole.replace(b"</table:table>", b"")})
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
