"""Reads lists of e-mail addresses as mail programs write them: each address is one person.

`a@x.org, b@x.org; Bar, Erin <c@x.org>`, on one line or on many, is no table: its commas do not separate columns.
"""

import re

from webapp.core.files.fields import Field, recognise

_ADDRESS = r"""[^\s@<>()\[\],;|"]{1,100}@[^\s@<>()\[\],;|"']{1,255}"""
_PERSON = re.compile(
    rf"""
    (?: [-*•] \s+ | \d{{1,5}} [.)] \s+ )?
    (?:
        (?P<name> "[^"\n]{{0,100}}" | [^<>@\n"]{{0,100}}? | [^<>,;\n]{{0,100}}? ) \s*
        (?: <\s* (?:mailto:)? (?P<angled>{_ADDRESS}) \s*> "? )
      | "? (?: mailto: )? (?P<bare>{_ADDRESS}) ['"]? (?: [ ]* \( (?P<comment>[^()\n@]{{1,100}}) \) )?
    )
    (?: (?:\s*[,;|])+ \s* | \s+ (?:and|und|et|y|e|&) \s+ | \s+ | \Z )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BROKEN = re.compile(
    r"""(?P<text>(?:"[^"\n]{0,100}"|[^,;|\n"]){1,400}) (?:(?:\s*[,;|\n])+\s*|\s*\Z)""", re.VERBOSE
)
"""What stands between two signs on a list and is no address: half of one, or a name with nothing in its `<>`."""
_HEADING = re.compile(r"\s*(?:(?:to|cc|bcc|an|à|para|a):)\s*", re.IGNORECASE)
_SEPARATORS = " \t\r\n,;|"


def people_in(text: str) -> tuple[str | None, list[str]] | None:
    """Who is on a list of addresses: the name above them, if there is one, and for each person `a@x.org` or `Name <a@x.org>`.

    A broken address is somebody, too, as it stands: the row says what is wrong with it.
    None for anything else: something stands there that is meant for no address, or it is one cell a line, as in any table.
    """
    heading, body = None, text
    first, _, below = text.lstrip().partition("\n")
    if "@" not in first and (known := recognise(first)) and known.field is Field.EMAIL:
        heading, body = first.strip(), below
    found: list[str] = []
    broken = 0
    place = len(body) - len(body.lstrip(_SEPARATORS))
    if said := _HEADING.match(body, place):
        place = said.end()
    while place < len(body):
        person = _PERSON.match(body, place)
        if person and person.end() > place:
            found.append(_format_person(person))
            place = person.end()
            continue
        wrong = _BROKEN.match(body, place)
        if wrong is None or not ("@" in wrong["text"] or "<" in wrong["text"]):
            return None
        found.append(wrong["text"].strip())
        broken += 1
        place = wrong.end()
    if len(found) < 2 + broken or broken * 2 > len(found) or _is_column(body, found):
        return None
    return heading, found


def _is_column(text: str, people: list[str]) -> bool:
    """Whether it is one cell a line already, and no cell has a sign that may separate columns."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines == people and not any(sign in text for sign in ",;|\t")


def _format_person(person: re.Match[str]) -> str:
    """One person, as a cell of a table would say it."""
    name = (person["name"] or person["comment"] or "").strip(" \t\"'")
    address = (person["angled"] or person["bare"]).strip("'").removesuffix(".")
    return f"{name} <{address}>" if name and name.casefold() != address.casefold() else address
