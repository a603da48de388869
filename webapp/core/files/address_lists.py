"""Reads lists of e-mail addresses as mail programs write them: each address is one person.

`a@x.org, b@x.org; Bar, Erin <c@x.org>`, on one line or on many, is no table: its commas do not separate columns.
"""

import re

_ADDRESS = r"""[^\s@<>()\[\],;|"]{1,100}@[^\s@<>()\[\],;|"']{1,255}"""
_PERSON = re.compile(
    rf"""
    (?: (?P<name> "[^"\n]{{0,100}}" | [^<>@\n"]{{0,100}}? | [^<>,;\n]{{0,100}}? )
        \s* <\s* (?:mailto:)? (?P<angled>{_ADDRESS}) \s*>
      | ['"]? (?P<bare>{_ADDRESS}) ['"]?
      | (?P<broken>[^,;\n]{{0,400}}[@<][^,;\n]{{0,400}})
    )
    (?: [,;\s]+ | \Z )
    """,
    re.VERBOSE,
)


def people_in(text: str) -> list[str] | None:
    """Read the people of a list of addresses, such as `a@x.org` or `Name <a@x.org>`.

    A broken address is somebody, too, as it stands: the row says what is wrong with it.
    None for anything else: something stands there that is meant for no address, or it is one cell a line, as in any table.
    """
    people = []
    broken = 0
    text = text.strip()
    place = 0
    while place < len(text):
        person = _PERSON.match(text, place)
        if person is None:
            return None
        place = person.end()
        if person["broken"]:
            people.append(person["broken"].strip())
            broken += 1
        else:
            name = (person["name"] or "").strip(' "')
            address = person["angled"] or person["bare"]
            people.append(f"{name} <{address}>" if name else address)
    is_column = not re.search("[,;|\t]", text) and len(people) == len(text.splitlines())
    return None if len(people) < 2 + broken or broken * 2 > len(people) or is_column else people
