"""From the bytes of a text file to its text: which encoding it is in, or what else the file is."""

import codecs
import contextlib
import re

from webapp.core.files import errors
from webapp.core.files.errors import UnreadableFileError

_OTHER_BINARY = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b")
_CONTROL_BYTES = bytes({*range(0x20), 0x7F} - set(b"\t\n\x0b\x0c\r"))
_MARKUP = re.compile(
    r"""\s*(?:<(?:!|\?|(?:html|head|body|table|meta|style|svg|div)\b|[\w:]+>\s*<)|\{\\rtf|\{\s*"|\[\s*[{\["]|MIME-Version:|BEGIN:V)""",
    re.IGNORECASE,
)


_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|table|meta|style|div)\b",
    re.IGNORECASE | re.DOTALL,
)
_OFFICE_NAME = 55
"""So many bytes has the name in a lock file of Office, with its length before it."""
_LIBRE_OFFICE_LOCK = re.compile(
    rb",[^,\r\n]*,[^,\r\n]*,\d\d\.\d\d\.\d{4} \d\d:\d\d,file://[^,\r\n]*;\s*"
)


def _is_lock_file(data: bytes) -> bool:
    """Whether it is what Office (~$staff.xlsx: a length, a name, the name once more) or LibreOffice (.~lock.staff.ods#) leaves
    beside a workbook that is open."""
    is_short = 0 < len(data) < 1000
    return is_short and (_is_office_lock(data) or _LIBRE_OFFICE_LOCK.fullmatch(data) is not None)


def _is_office_lock(data: bytes) -> bool:
    if not 0 < data[0] < _OFFICE_NAME <= len(data) < 200 or data[1 + data[0] : _OFFICE_NAME].strip(
        b" \0"
    ):
        return False
    return len(data) == _OFFICE_NAME or data[0] in data[_OFFICE_NAME - 1 : _OFFICE_NAME + 2]


def decode(data: bytes) -> tuple[str, str]:
    """A text file's text and the name of its encoding."""
    if data.startswith(_OTHER_BINARY):
        raise errors.not_a_spreadsheet()
    if _is_lock_file(data):
        raise errors.lock_file()
    text, encoding = _decode(data)
    if _HTML.match(text):
        raise errors.web_page()
    if _MARKUP.match(text):
        raise errors.not_a_spreadsheet()
    return text, encoding


def _decode(data: bytes) -> tuple[str, str]:
    text, encoding = _try_encodings(data)
    if "\0" in text:  # damaged, and no database stores it
        raise _cannot_be_read()
    if "\ufeff" in text:
        text = _INNER_BOM.sub("", text).lstrip("\ufeff")
    return text.removeprefix("ï»¿"), encoding


def _try_encodings(data: bytes) -> tuple[str, str]:
    if data.startswith(codecs.BOM_UTF8):
        return _decode_as(data, "utf-8-sig"), "UTF-8 with BOM"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _decode_as(data, "utf-16"), "UTF-16"
    if codec := _utf16_without_bom(data):
        return _decode_as(data, codec), "UTF-16"
    if _is_mostly_binary(data):
        raise errors.not_a_spreadsheet()
    with contextlib.suppress(UnicodeError):
        return data.decode("utf-8"), "UTF-8"
    with contextlib.suppress(UnicodeError):
        text = _decode_mixed(data)
        return text, "UTF-8 and Windows-1252" + (ODD if _BEYOND_LATIN.search(text) else "")
    text = _decode_as(data, "cp1252")
    return text, "Windows-1252" + (ODD if _is_odd(text) else "")


def _decode_as(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeError:
        raise _cannot_be_read() from None


def _cannot_be_read() -> UnreadableFileError:
    return UnreadableFileError(
        "The text in this file cannot be read.", "Save it as “CSV UTF-8” and try again."
    )


ODD = " with odd letters"
_INNER_BOM = re.compile(r"(?<=[\r\n])\ufeff+(?=\")")
"""Where one file was put behind another; before a quote it would hide that a quoted cell begins."""
_SIGNS = "€‚ƒ„†‡ˆ‰‹›•˜¢£¤¥¦¨¬¯°±²³´µ¶¸¹¼½¾×÷§"
_ODD_LETTERS = re.compile(
    rf"""
    [À-ÿ]{{4}}
    | [a-zà-ÿ] [¹³¼¾¿£¥¯{_SIGNS}“”–—™©®] [a-zà-ÿ] | (?<!\w) [¯£¥] [a-zà-ÿ]{{2}}  # Polish, Czech, Mac Roman
    | [a-z] [ŠŽŸŒ] | [A-Z] Ÿ | [B-DF-HJ-NP-TV-Zb-df-hj-np-qs-tv-z] š [b-df-hj-np-tv-z]  # Mac Roman
    | [À-ÿŠšŽžŸŒœ“”‘’ªº{_SIGNS}] [{_SIGNS}] | [{_SIGNS}] [À-ÿŠšŽžŸŒœ] | [“”‘’] [ªº]  # Korean, Chinese, Japanese
    | [bcfghjkprvwxz] ’ [ao] \b  # Mac Roman
    | ø [áíý]  # Czech
    | [ƒ˜ˆ] [A-Za-z] | [–—] [À-ÿ] [–—]  # Japanese
    """,
    re.VERBOSE,
)
"""What no Western language has, but text in another encoding that is taken for Windows-1252."""
_TURKISH, _ICELANDIC = re.compile("[ðþýÐÞÝ]"), re.compile("[áíóúéæÁÍÓÚÉÆŠšŽž]")
_BEYOND_LATIN = re.compile("[\u0370-\u1cff]")
"""Letters of other scripts: beside Windows-1252 they are bytes of another encoding that look like UTF-8 by chance."""
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")


def _is_odd(text: str) -> bool:
    """Whether text that was taken for Windows-1252 is probably in another encoding, one that is not read.

    Turkish text then has letters of Icelandic, which seldom come without the other ones of that language. In Western
    languages letters outside ASCII seldom stand together.
    """
    if text.isascii():
        return False
    if _ODD_LETTERS.search(text) or (_TURKISH.search(text) and not _ICELANDIC.search(text)):
        return True
    runs = [len(run) for run in _NOT_ASCII.findall(text)]
    together = sum(runs) - len(runs)
    return together > 2 and together * 2 > sum(runs)


def _decode_windows(error: UnicodeError) -> tuple[str, int]:
    """An error handler that reads as Windows-1252 what is not UTF-8."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("cp1252"), error.end


codecs.register_error("windows-1252", _decode_windows)


def _decode_mixed(data: bytes) -> str:
    """The text where UTF-8 and Windows-1252 were put together: each letter as what it is. Raises UnicodeError.

    What looks like UTF-8 by chance is rare in Windows-1252 (“É” before a typographic quote), so half of what is not
    ASCII, at least, must look so.
    """
    text = data.decode("utf-8", "windows-1252")
    letters = _count_beyond_ascii(text)
    letters_of_utf8 = _count_beyond_ascii(data.decode("utf-8", "ignore"))
    if letters > 2 * letters_of_utf8:
        raise UnicodeError
    return text


def _count_beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _utf16_without_bom(data: bytes) -> str | None:
    """The codec where one of two bytes is often zero and the other never: UTF-16 with some Latin text, separators at least."""
    sample = data[:4096]
    pairs = len(sample) // 2
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if second > pairs / 8 and first <= second / 50:
        return "utf-16-le"
    if first > pairs / 8 and second <= first / 50:
        return "utf-16-be"
    return None


_FEW = 10


def _is_mostly_binary(data: bytes) -> bool:
    """More than one control character in 20: compressed data has about one in 10, text none.

    In a short file a few of them are no sign of that.
    """
    odd = len(data) - len(data.translate(None, _CONTROL_BYTES))
    if odd <= _FEW and len(data.translate(None, _ASCII)) * 2 < len(data):
        return False
    return odd * 20 > len(data)


_ASCII = bytes(range(0x20, 0x7F))
