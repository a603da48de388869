"""An e-mail as the bytes that are sent, built by the standard library."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from functools import lru_cache

import idna

from webapp.core.addresses import InvalidAddressError, parse
from webapp.mail.errors import PermanentDeliveryError
from webapp.mail.messages import Email, on_one_line

LONGEST_LINE = 998
"""What every server takes (RFC 5322, 2.1.1). Shorter lines in ASCII stay as they are, so that a file shows the link whole."""


@dataclass(frozen=True, slots=True)
class MimeMessage:
    """A message ready to be handed over. recipient: the envelope's, its domain in ASCII."""

    message_id: str
    recipient: str
    data: bytes


def build(email: Email, sender: str, message_id: str, date: datetime) -> MimeMessage:
    """Build the MIME message.

    sender: `Name <address>`. message_id: with its angle brackets. date: aware.
    Raises PermanentDeliveryError where it cannot be built.
    """
    recipient = envelope_address(email.to)
    try:
        message = EmailMessage(_POLICY)
        message["From"] = _mailbox(*parseaddr(sender))
        name, address = email.reply_to
        if address:
            message["Reply-To"] = _mailbox(on_one_line(name), address)
        message["To"] = _mailbox(on_one_line(email.name), recipient)
        message["Subject"] = _encode("Subject", email.subject)
        message["Date"] = format_datetime(date)
        message["Message-ID"] = message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message.set_content(email.text)
        message.add_alternative(email.html, subtype="html")
        return MimeMessage(message_id, recipient, message.as_bytes())
    except (ValueError, LookupError, MessageError) as error:
        raise PermanentDeliveryError("not_built", words=on_one_line(str(error))) from error


def envelope_address(address: str) -> str:
    """The address as a mail server takes it: the local part as typed, the domain in ASCII.

    Raises PermanentDeliveryError. Only the form is judged: which domains are allowed was decided when the address was taken.
    """
    try:
        domain = ascii_domain(address.rpartition("@")[2].lower())
        return parse(address, {domain}).deliverable
    except (InvalidAddressError, idna.IDNAError) as error:
        raise PermanentDeliveryError("invalid_address", address=on_one_line(address)) from error


class _HeadersAsGiven(EmailPolicy):
    """Keeps the value of a header as it is.

    The usual policy parses a value first and so decodes an encoded word in it, line breaks included: a person called
    `=?utf-8?q?A=0D=0ABcc=3A...?=` would add a header (CVE-2024-6923).
    """

    def header_store_parse(self, name: str, value: str) -> tuple[str, str]:
        folded = value.splitlines()[1:]
        if "\0" in value or not all(line.startswith((" ", "\t")) for line in folded):
            raise ValueError(f"a line break in {name}")
        return name, value


_POLICY = _HeadersAsGiven(
    linesep="\r\n",
    refold_source="none",
    utf8=True,
    cte_type="7bit",
    max_line_length=LONGEST_LINE,
)
"""utf8: an address with letters outside ASCII before the @ travels as it is (SMTPUTF8); all else is ASCII."""


def _mailbox(name: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    mailbox = Address(name if _is_plain(name) else "", local, ascii_domain(domain))
    return str(mailbox) if _is_plain(name) else f"{_encode('Reply-To', name)} <{mailbox}>"


def _encode(header: str, text: str) -> str:
    """A header's text, so that mail programs read what was typed: an encoded word in it stays those letters."""
    if not text.isprintable():
        raise ValueError(f"a control character in {header}")
    return Header(text, "us-ascii" if _is_plain(text) else "utf-8", header_name=header).encode()


def _is_plain(text: str) -> bool:
    """Whether a header can carry the text as it is."""
    return text.isascii() and "=?" not in text


@lru_cache(1000)
def ascii_domain(domain: str) -> str:
    """The domain as DNS has it. Raises idna.IDNAError."""
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
