"""Every file of tests/files is read as its owner meant it, or refused with the sentence that helps."""

# ruff: noqa: E501 - what stands in a file is clearer on one line

import pytest
from webapp.core.files.errors import UnreadableFileError

from tests.files.make_corpus import FILES, all_files
from tests.reading import fact, read

CANNOT = (
    "cannot be read. It has a quote that is not closed, a quote in the middle of a quoted cell, or a very long cell. "
    "Fix that line and upload again."
)
EMPTY = "This file is empty. Add at least one user below the header row."
NOT_A_SPREADSHEET = (
    "This is not a spreadsheet. Muster reads CSV, Excel and OpenDocument files. Save the sheet as one of these and upload that."
)
DAMAGED = (
    "This workbook cannot be read. It is damaged, protected by a password, or not a workbook. "
    "Open it, save it again as Excel, OpenDocument or CSV without a password and upload that."
)
LARGE = "This workbook holds too much to be read. Copy the rows with the users into a new workbook and upload that."
UNTOLD = "The text in this file cannot be read. Save it as “CSV UTF-8” and try again."

TOO_MANY_ROWS = (
    "This file has more than 100,000 rows, 256 columns or 2,000,000 cells. "
    "Remove the columns that Muster does not need, or split it into smaller files, and upload again."
)

USUAL = "Email|Role|Groups"
ANA = "ana@northfield.org|Analyst|Student Devices, Teacher Laptops"
BO = "bo@northfield.org|Remote|"
CY = "cy@northfield.org|Remote|"

# Files that are refused.
REFUSED = {
    "archive-called-xlsx.xlsx": DAMAGED,
    "billion-laughs.xlsx": DAMAGED,
    "broken-xml.xlsx": DAMAGED,
    "cards.vcf": NOT_A_SPREADSHEET,
    "claims-four-gigabytes.xlsx": LARGE,
    "claims-ten-bytes.xlsx": DAMAGED,
    "cut-off.xls": DAMAGED,
    "cut-off.xlsx": DAMAGED,
    "database.csv": NOT_A_SPREADSHEET,
    "dimension-without-range.xlsx": DAMAGED,
    "empty-workbook.xlsx": EMPTY,
    "endless-rows.ods": TOO_MANY_ROWS,
    "endless-rows.xlsx": TOO_MANY_ROWS,
    "external-entity.ods": DAMAGED,
    "external-entity.xlsx": DAMAGED,
    "far-apart-cells.xlsx": LARGE,
    "flat.fods": NOT_A_SPREADSHEET,
    "header-only.csv": EMPTY,
    "header-only.xlsx": EMPTY,
    "junk-called-xls.xls": DAMAGED,
    "junk-called-xlsx.xlsx": DAMAGED,
    "list.json": NOT_A_SPREADSHEET,
    "long-text-in-every-row.xlsx": LARGE,
    "mail-called-xls.xls": NOT_A_SPREADSHEET,
    "missing-string.xlsx": DAMAGED,
    "no-encoding.csv": UNTOLD,
    "no-sheets.xlsx": EMPTY,
    "nothing.csv": EMPTY,
    "parts-in-utf16.xlsx": EMPTY,
    "password.ods": DAMAGED,
    "password.xls": DAMAGED,
    "password.xlsx": DAMAGED,
    "picture-called-csv.csv": NOT_A_SPREADSHEET,
    "pretty-printed.ods": DAMAGED,
    "quotes-not-doubled.csv": "Line 2 " + CANNOT,
    "spaces-behind-quotes.csv": "Line 1 " + CANNOT,
    "spreadsheet-xml-2003.xls": NOT_A_SPREADSHEET,
    "stray-cell-far-right.xlsx": TOO_MANY_ROWS,
    "table-without-end.ods": DAMAGED,
    "text-document-called-xls.xls": DAMAGED,
    "text-document-called-xlsx.xlsx": DAMAGED,
    "text-document.odt": DAMAGED,
    "three-hundred-columns.csv": TOO_MANY_ROWS,
    "unclosed-quote.csv": "Line 3 " + CANNOT,
    "users.xml": NOT_A_SPREADSHEET,
    "utf16-big-endian-no-bom.csv": NOT_A_SPREADSHEET,
    "utf16-cyrillic-no-bom.tsv": NOT_A_SPREADSHEET,
    "utf16-little-endian-no-bom.tsv": NOT_A_SPREADSHEET,
    "utf32.csv": UNTOLD,
    "web-page-called-xls.xls": NOT_A_SPREADSHEET,
    "white-space.csv": EMPTY,
    "zero-bytes.csv": UNTOLD,
}

# Files that are read: format, row of the header, header, and the lines by their numbers; | between the cells.
READ = {
    "backslashes-in-names.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO}),
    "blank-rows-with-separators.csv": ("CSV", 1, "Email|Role", {4: "ana@northfield.org|Analyst", 6: "bo@northfield.org|Remote"}),
    "canvas.csv": ("CSV", 1, "user_id|login_id|full_name|email|status", {2: "u1|ana|Ana Silva|ana@northfield.org|active"}),
    "cells-without-references.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 5: CY}),
    "comments-above.csv": ("CSV", 3, "Email|Role", {4: "ana@northfield.org|Analyst"}),
    "csv-called-xlsx.xlsx": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst"}),
    "cyrillic-and-emoji.csv": ("CSV", 1, USUAL, {2: "аня@пример.рф|Analyst|📱 Планшеты"}),
    "dates-since-1904.xlsx": ("Excel", 1, "Email|Role|Since", {2: "cy@northfield.org|Remote|2026-01-02"}),
    "deep-below-blank-lines.csv": ("CSV", 32, "Email|Role", {33: "ana@northfield.org|Analyst"}),
    "dimension-too-large.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 5: CY}),
    "dimension-too-small.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 5: CY}),
    "end-of-file-mark.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst"}),
    "entra-bulk-invite.csv": (
        "CSV",
        2,
        "Email address to invite [inviteeEmail] Required|Redirection url [inviteRedirectURL] Required|Role|"
        "Customized invitation message [customizedMessageBody]",
        {
            3: "ana@northfield.org|https://myapps.example|Analyst|Hello",
            4: "bo@northfield.org|https://myapps.example|Remote|",
        },
    ),
    "escaped-by-our-download.xlsx": ("Excel", 1, USUAL, {2: "=ana@northfield.org|-|@Loans"}),
    "escaped-characters.xlsx": ("Excel", 1, USUAL, {2: "ana@northfield.org|Analyst|A_B\r\nC"}),
    "everything-quoted.csv": ("CSV", 1, USUAL, {2: 'ana@northfield.org|Analyst|A, "B"'}),
    "file-behind-another.csv": ("CSV", 1, "Name|Email|Role", {2: "Silva, Ana|ana@northfield.org|Analyst", 3: "Lind, Bo|bo@northfield.org|Remote"}),
    "formulas-never-computed.xlsx": ("Excel", 1, USUAL, {2: "=X1|=X2|Loans", 3: ANA}),
    "formulas.csv": ("CSV", 1, USUAL, {2: "=cmd|' /C calc'!A0|Analyst|+1", 3: "@sum(A1)|-1|=2"}),
    "google-forms.csv": (
        "CSV",
        1,
        "Timestamp|Email Address|Which role do you need?",
        {2: "2026/05/01 9:00:00 AM GMT+1|ana@northfield.org|Analyst"},
    ),
    "group-called-team.csv": (
        "CSV",
        1,
        "Kontakt|Zugang|Wo",
        {2: "ana@northfield.org|Analyst|Team", 3: "bo@northfield.org|Team|Loans"},
    ),
    "header-repeated.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst", 3: "Email|Role", 4: "bo@northfield.org|Remote"}),
    "header-to-repeat-and-groups.ods": ("OpenDocument", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote|"}),
    "hidden-row.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 5: CY}),
    "hidden-sheet.ods": ("OpenDocument", 1, USUAL, {2: ANA, 3: BO, 4: CY}),
    "hidden-sheet.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 4: CY}),
    "instructions-first.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO}),
    "kinds-of-cells.ods": (
        "OpenDocument",
        1,
        "Email|Role|Groups|A|B|C|D|E|F|G",
        {2: "ana@northfield.org|Analyst|A,\nB|7|0.5|True|2026-01-02|2026-01-02 10:30:00|#DIV/0!|0"},
    ),
    "kinds-of-cells.xls": (
        "Excel",
        2,
        "|Email|Role|Groups|A|B|C|D|E|F",
        {3: "|zoë@northfield.org|Analyst|Öl, Gas|7|7.5|True|2026-01-02|8|", 5: f"|{CY}||||||"},
    ),
    "kinds-of-cells.xlsx": (
        "Excel",
        1,
        "Email|Role|Groups|A|B|C|D|E|F|G|H|I|J|K|L|M",
        {
            2: "ana@northfield.org|Analyst|Student Devices|7|7.5|0.3|447912345670|True|False|#N/A|"
            "2026-01-02|2026-01-02 10:30:00|10:30:00|1 day, 6:00:00|=1+1|007"
        },
    ),
    "latin-1-beside-utf-8.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|CafÃ©", 3: "bo@northfield.org|Café"}),
    "line-separators-of-unicode.csv": ("CSV", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|A\u2028B\x85C"}),
    "lines-of-csv.xlsx": ("Excel", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|A, B", 4: "bo@northfield.org|Remote|"}),
    "mark-told-as-text.csv": ("CSV", 1, "ï»¿Email|Role", {2: "ana@northfield.org|Analyst"}),
    "markdown.csv": ("CSV", 1, "|Email|Role", {2: "|---|---", 3: "|ana@northfield.org|Analyst"}),
    "long-cell.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 4: "cy@northfield.org|Remote|" + "x" * 200_000}),
    "marks-of-direction.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst"}),
    "microsoft-365.csv": ("CSV", 1, "Block credential|Display name|Licenses|Proxy addresses|User principal name", {2: "False|Ana|A3|SMTP:ana@northfield.org+smtp:bo@northfield.org|ana@northfield.org"}),
    "mixed-line-ends.csv": (
        "CSV",
        1,
        "Email|Role",
        {2: "ana@northfield.org|Analyst", 3: "bo@northfield.org|Remote", 4: "cy@northfield.org|Remote"},
    ),
    "moodle.csv": ("CSV", 1, "username|firstname|lastname|email|course1|role1|cohort1", {2: "ana|Ana|Silva|ana@northfield.org|M1|student|C1"}),
    "names-with-addresses.csv": (
        "CSV",
        1,
        "Email|Role",
        {2: "Silva, Ana <ana@northfield.org>|Analyst", 3: "Bo <bo@northfield.org>|Remote"},
    ),
    "no-header.csv": ("CSV", 0, "Column A|Column B|Column C", {1: "ana@northfield.org|Analyst|Student Devices", 2: "bo@northfield.org|Remote|"}),
    "no-names-of-columns.csv": ("CSV", 1, "Email||", {2: "ana@northfield.org|Analyst|A", 3: "bo@northfield.org|Remote"}),
    "no-names-of-columns.xlsx": ("Excel", 1, "Email||", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote"}),
    "okta.csv": ("CSV", 1, "User ID|Username|First name|Primary email|Status|Groups", {2: "00u1|ana@northfield.org|Ana|ana@northfield.org|ACTIVE|Everyone;Loans"}),
    "one-column.csv": ("CSV", 1, "Email", {2: "ana@northfield.org", 3: "bo@northfield.org"}),
    "person-repeated.ods": ("OpenDocument", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 4: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops"}),
    "plain.ods": ("OpenDocument", 1, USUAL, {2: ANA, 3: BO}),
    "plain.xls": ("Excel", 1, USUAL, {2: ANA, 3: BO}),
    "plain.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO}),
    "powershell.csv": ("CSV", 2, "Mail|Role", {3: "ana@northfield.org|Analyst"}),
    "prefixed-names.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 5: CY}),
    "protected-sheet-with-merged-cells.xlsx": ("Excel", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote|"}),
    "quote-within.csv": ("CSV", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|15\" screens", 3: "bo@northfield.org|Remote|5\" and 7\""}),
    "remarks-and-total.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst", 3: "# new ones|", 4: "bo@northfield.org|Remote", 6: "Total: 2|"}),
    "repeated-blanks.ods": ("OpenDocument", 4, USUAL, {8: "ana@northfield.org|Analyst|"}),
    "row-in-two-pieces.xlsx": ("Excel", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote|", 5: "cy@northfield.org|Remote|"}),
    "rows-out-of-order.xlsx": ("Excel", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote|", 5: "cy@northfield.org|Remote|"}),
    "saved-by-libreoffice.ods": ("OpenDocument", 3, USUAL, {4: "zoë@northfield.org|Analyst|A, B\nC", 7: "bo@northfield.org|#N/A|7"}),
    "saved-by-libreoffice.xls": ("Excel", 3, USUAL, {4: "zoë@northfield.org|Analyst|A, B\nC", 7: "bo@northfield.org||7"}),
    "saved-by-libreoffice.xlsx": ("Excel", 3, USUAL, {4: "zoë@northfield.org|Analyst|A, B\nC", 7: "bo@northfield.org|#N/A|7"}),
    "semicolons-in-groups.csv": ("CSV", 1, USUAL, {2: "ana@northfield.org|Analyst|A; B; C; D; E"}),
    "sep-line-and-title.csv": ("CSV", 3, "Email|Role", {4: "ana@northfield.org|Analyst"}),
    "shape-link-and-merged-cell.ods": ("OpenDocument", 1, "Email|Role|Groups", {2: "Ask her\nana@northfield.org|Analyst|"}),
    "shift-jis.csv": ("CSV", 1, "–¼‘O|Email|Role", {2: "‘¾˜Y|ana@northfield.org|Analyst"}),
    "separators-only.csv": ("CSV", 1, ",,,", {2: ";;;"}),
    "slack.csv": ("CSV", 1, "username|email|status|billing-active|userid|fullname", {2: "ana|ana@northfield.org|Member|1|U1|Ana Silva"}),
    "soft-and-hidden.csv": ("CSV", 1, "Email|Ro\xadle|Groups", {2: "ana@northfield.org|Analyst|A\xa0B"}),
    "some-lines-in-quotes.csv": ("CSV", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|A, B", 3: "bo@northfield.org|Remote|"}),
    "stray-cell-far-below.xlsx": ("Excel", 1, USUAL, {2: ANA, 3: BO, 5: CY, 1048576: "|1|"}),
    "strict.xlsx": ("Excel", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote|"}),
    "table-in-the-middle.xlsx": ("Excel", 5, f"||{USUAL}", {6: f"||{ANA}", 7: f"||{BO}"}),
    "tabs-called-xls.xls": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst"}),
    "tabs.tsv": ("CSV", 1, USUAL, {2: "ana@northfield.org|Analyst|A, B"}),
    "template-of-openoffice.ots": ("OpenDocument", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote|"}),
    "text-as-cdata.xlsx": ("Excel", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|Student Devices, Teacher Laptops", 3: "bo@northfield.org|Remote|", 5: "cy@northfield.org|Remote|"}),
    "thousand-empty-columns.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst"}),
    "title-above-unknown-names.csv": ("CSV", 3, "Wer|Was|Wo", {4: "ana@northfield.org|Analyst|A, B, C, D"}),
    "title-and-blank-lines.csv": ("CSV", 4, USUAL, {5: "ana@northfield.org|Analyst|Loans"}),
    "title-merged.xlsx": ("Excel", 3, USUAL, {4: ANA, 5: BO}),
    "title-that-is-a-column-name.csv": ("CSV", 2, "Name|E-mail|Access level", {3: "Ana|ana@northfield.org|Analyst"}),
    "title-with-another-separator.csv": ("CSV", 3, "E-Mail|Rolle|Gruppen", {4: "ana@northfield.org|Analyst|A, B"}),
    "turkish.csv": ("CSV", 1, "EMAİL|KULLANICI ROLÜ|GRUPLAR", {2: "ana@northfield.org|Analyst|Öğrenci ışığı"}),
    "two-boms.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst"}),
    "two-tables.csv": ("CSV", 1, "Email|Role|", {2: "ana@northfield.org|Analyst", 4: "Email|Role|Groups", 5: "bo@northfield.org|Remote|A"}),
    "two-tables.xlsx": ("Excel", 1, "Email|Role|", {2: "ana@northfield.org|Analyst", 4: "Email|Role|Groups", 5: "bo@northfield.org|Remote"}),
    "typographic-quotes.csv": ("CSV", 1, "Email|Role|Groups", {2: "“ana@northfield.org”|Analyst|“A”"}),
    "units-in-names.csv": ("CSV", 1, "E-mail\n(work)|Role*|Groups, if any", {2: "ana@northfield.org|Analyst|A"}),
    "utf16-japanese.csv": ("CSV", 1, "メールアドレス|ロール|グループ", {2: "ana@northfield.org|Analyst|生徒用端末"}),
    "utf16-sep-line.csv": ("CSV", 1, "Email|Role", {2: "ana@northfield.org|Analyst"}),
    "whole-lines-in-quotes.csv": ("CSV", 1, "Email|Role|Groups", {2: "ana@northfield.org|Analyst|A, B", 3: "bo@northfield.org|Remote|"}),
    "windows-1250.csv": ("CSV", 1, "Imiê|Adres e-mail|Rola", {2: "£ucja|ana@northfield.org|Analyst"}),
    "windows-1252-typographic.csv": ("CSV", 1, USUAL, {2: "ana@northfield.org|Analyst|“Best” – 5 €"}),
    "wrapped-by-a-mailer.csv": ("CSV", 1, "Email|Role", {3: "ana@northfield.org|Analyst"}),
    "xlsx-called-csv.csv": ("Excel", 1, USUAL, {2: ANA, 3: BO}),
    "zoom.csv": ("CSV", 1, "Email|First Name|Department|User Groups|Licenses|Role", {2: "ana@northfield.org|Ana|Math|A|Basic|Analyst"}),
}  # fmt: skip

# Those that test_tables and test_columns read line by line.
ELSEWHERE = {
    "comma.csv",
    "excel-german.csv",
    "excel-unicode-text.csv",
    "excel-utf8.csv",
    "google-workspace.csv",
    "line-breaks-in-cells.csv",
    "microsoft-entra.csv",
    "nameless-columns.csv",
    "no-role-column.csv",
    "old-mac.csv",
    "pipe.csv",
    "sep-line.csv",
    "template-left-in.csv",
    "two-role-columns.csv",
    "typed-by-hand.csv",
    "unquoted-groups-saved-by-excel.csv",
    "unquoted-groups.csv",
    "untidy.csv",
}


# Those that are long to read.
LONG = {
    "endless-rows.ods",
    "endless-rows.xlsx",
    "far-apart-cells.xlsx",
    "long-text-in-every-row.xlsx",
    "stray-cell-far-below.xlsx",
}


def quick_and_slow(names):
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in sorted(names)]


def test_each_file_has_its_expectation():
    files = {path.name for path in FILES.iterdir() if path.is_file()} - {
        "README.md",
        "make_corpus.py",
        "writers.py",
        "__init__.py",
    }
    assert files == {*REFUSED, *READ, *ELSEWHERE}
    assert not {name for name, _ in all_files()} - files


@pytest.mark.parametrize("name", quick_and_slow(REFUSED))
def test_a_file_that_cannot_be_taken_is_refused_with_a_sentence(name):
    with pytest.raises(UnreadableFileError) as refused:
        read((FILES / name).read_bytes())
    assert str(refused.value) == REFUSED[name]


@pytest.mark.parametrize("name", quick_and_slow(READ))
def test_a_file_is_read_with_its_own_row_numbers(name):
    table = read((FILES / name).read_bytes())
    read_as = (
        fact(table, "workbook").get("format", "CSV"),
        table.header_row,
        "|".join(table.header),
        {line.number: "|".join(line.cells) for line in table.lines},
    )
    assert read_as == READ[name]
