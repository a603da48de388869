"""An e-mail within an uploaded file."""

import io
import zipfile

import pytest

from webapp.core.files.mentions import names

HANNAH = "hannah@x.example"
LINE = f"Mail;Who\r\nHannah@X.example;{HANNAH.title()}\r\n"


def zipped(text):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as container:
        container.writestr("xl/sharedStrings.xml", text)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [LINE.encode(), LINE.encode("utf-16"), LINE.encode("utf-16-be"), LINE.encode("cp1252"), zipped(f"<t>{HANNAH}</t>"),
     zipped(HANNAH.encode("utf-16-le")), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x0e\x00\x00" + b"1" + HANNAH.encode() + b"3"],
)  # fmt: skip
def test_it_is_found_in_any_encoding_and_within_a_workbook(data):
    assert names(data, [HANNAH])


@pytest.mark.parametrize("text", ["", "jo.hannah@x.example", "hannah@x.example.org", "PK\x03\x04 no archive"])
def test_somebody_elses_is_not_taken_for_it(text):
    assert not names(text.encode(), [HANNAH])
    assert not names(zipped(text), [HANNAH])


def test_nobody_is_in_no_file():
    assert not names(LINE.encode(), [])
