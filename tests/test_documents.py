"""The documents name tests and files that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from webapp.settings.settings import FIELDS

TOP = Path(__file__).parent.parent
SECURITY = (TOP / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:tests|webapp)/[\w/]+\.py)(?:::(\w+))?`", SECURITY)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=["::".join(filter(None, each)) for each in NAMED])
def test_what_the_table_of_security_names_is_there(file, name):
    content = (TOP / file).read_text(encoding="utf-8")
    assert re.search(rf"\b(def|class) {name}\b", content) if name else content


def test_every_chapter_is_in_the_table():
    assert {f"V{n}" for n in range(1, 18)} <= set(re.findall(r"\bV\d+\b", SECURITY))


def test_every_setting_is_in_the_tables_and_marked_where_it_is_secret_or_on_a_page():
    rows = re.findall(r"^\| (`MUSTER_.*?) \|", (TOP / "docs" / "configuration.md").read_text(encoding="utf-8"), re.MULTILINE)
    marks = {name: mark for row in rows for name, mark in re.findall(r"`MUSTER_(\w+)`(?: ([◆◦]))?", row)}
    assert marks == {name: "◆" if field.is_secret else "◦" if field.is_on_page else "" for name, field in FIELDS.items()}


def test_the_extra_for_a_directory_is_what_its_list_pins():
    pinned = re.findall(r"^(\S+==\S+)", (TOP / "requirements-ldap.txt").read_text(), re.MULTILINE)
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["ldap"] == pinned
