"""From the bytes of a text file to its text: which encoding it is in."""

import codecs
import re

from webapp.core.files import errors
from webapp.core.files.errors import UnreadableFileError

_CONTROL_BYTES = bytes({*range(0x20), 0x7F} - set(b"\t\n\x0b\x0c\r"))
_MARKUP = re.compile(
    r"""\s*(?:<(?:!|\?|(?:html|head|body|table|meta|style|svg|div)\b|[\w:]+>\s*<)|\{\\rtf|\{\s*"|\[\s*[{\["]|MIME-Version:|BEGIN:V|%PDF-)""",
    re.IGNORECASE,
)


def decode(data: bytes) -> tuple[str, str]:
    """A text file's text and the name of its encoding. Raises UnreadableFileError."""
    text, encoding = _decode(data)
    if _MARKUP.match(text):
        raise errors.not_a_spreadsheet()
    if "\0" in text:  # damaged, and no database stores it
        raise _cannot_be_read()
    # where one file was put behind another, marks are within the text, too
    return text.replace("\ufeff", ""), encoding


def _decode(data: bytes) -> tuple[str, str]:
    try:
        if data.startswith(codecs.BOM_UTF8):
            return data.decode("utf-8"), "UTF-8 with BOM"
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16"), "UTF-16"
        controls = len(data) - len(data.translate(None, _CONTROL_BYTES))
        # compressed data has about one in ten, text none
        if controls * 20 > len(data):
            raise errors.not_a_spreadsheet()
        try:
            return data.decode("utf-8"), "UTF-8"
        except UnicodeDecodeError:
            return data.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        raise _cannot_be_read() from None


def _cannot_be_read() -> UnreadableFileError:
    return UnreadableFileError(
        "The text in this file cannot be read.", "Save it as “CSV UTF-8” and try again."
    )
