"""An e-mail as it travels: its bytes by the rules of MIME.

Python's `EmailMessage` costs a millisecond a message, most of it for headers that are the same in all of them: those are
folded once, and the rest is put together here.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import lru_cache

import idna

from webapp.core.addresses import BadAddress, parse
from webapp.core.errors import Undeliverable
from webapp.emails import Email, on_one_line

PLAIN = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,200}", re.ASCII)
"""An address that stands in a header as it is."""
LONGEST_LINE = 998
"""What every server takes (RFC 5322, 2.1.1)."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message ready to be handed over. recipient: the envelope's, its domain in ASCII."""

    message_id: str
    recipient: str
    data: bytes


def packed(email: Email, sender: str, message_id: str, date: datetime) -> Parcel:
    """The e-mail as MIME, the same bytes at every try.

    sender: `Name <address>`. message_id: with its angle brackets. date: aware.
    Raises Undeliverable where it cannot be built.
    """
    recipient = deliverable(email.to)
    boundary = "=_" + re.sub(r"[^0-9A-Za-z]", "", message_id.partition("@")[0])[:60]
    try:
        name, address = parseaddr(sender)
        utf8 = not (recipient + address).isascii()
        head = (
            _header("From", _address(name, address), utf8),
            f"To: {recipient}\r\n".encode() if PLAIN.fullmatch(recipient) else _header("To", _address("", recipient), utf8),
            _header("Subject", email.subject, utf8),
            f"Date: {format_datetime(date)}\r\n".encode(),
            f"Message-ID: {message_id}\r\n".encode(),
            b"Auto-Submitted: auto-generated\r\n",  # RFC 3834: no out-of-office answers
            b"MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'.encode(),
        )
        mark = f"\r\n--{boundary}".encode()
        parts = (_part("plain", email.text), mark, b"\r\n", _part("html", email.html))
    except (ValueError, LookupError, MessageError) as error:
        # a line break in a header, an odd local part, half a character
        raise Undeliverable(f"This email cannot be written: {on_one_line(str(error))}") from error
    return Parcel(message_id, recipient, b"".join((*head, mark, b"\r\n", *parts, mark, b"--\r\n")))


def deliverable(address: str) -> str:
    """The address as a mail server takes it: the local part as typed, the domain in ASCII.

    Raises Undeliverable. Only the form is judged: which domains are allowed was decided when the address was taken.
    """
    try:
        domain = _judged(address.rpartition("@")[2].lower())
        return parse(address, {domain}).deliverable
    except (BadAddress, idna.IDNAError) as error:
        raise Undeliverable(f"No email can be sent to “{on_one_line(address)}”: it is not an address.") from error


@lru_cache(1000)
def _header(name: str, value: str, utf8: bool) -> bytes:
    policy = SMTP.clone(utf8=utf8)
    return policy.fold_binary(*policy.header_store_parse(name, value))


def _part(subtype: str, text: str) -> bytes:
    """Plain where every server takes it, so that a file shows the link whole."""
    data = b"\n".join(text.encode().splitlines()) + b"\n"
    is_plain = data.isascii() and max(map(len, data.split(b"\n"))) <= LONGEST_LINE
    encoding = "7bit" if is_plain else "quoted-printable"
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()
    return head + (data if is_plain else binascii.b2a_qp(data, istext=True)).replace(b"\n", b"\r\n")


def _address(name: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    return str(Address(name, local, domain if domain.isascii() else _judged(domain)))


@lru_cache(1000)
def _judged(domain: str) -> str:
    return idna.encode(domain, uts46=True).decode()
