"""Dockerfile and compose.yaml name what there is, and what they start may do little. `tests/image.sh` builds and starts it."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from webapp.settings.environment import FILE
from webapp.settings.settings import FIELDS

TOP = Path(__file__).parents[1]
DOCKERFILE = (TOP / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (TOP / "compose.yaml").read_text(encoding="utf-8")
MUSTER = yaml.safe_load(COMPOSE)["services"]["muster"]


def test_every_setting_that_they_name_is_one():
    named = set(re.findall(r"MUSTER_(\w+)", DOCKERFILE + COMPOSE))
    assert len(named) >= 6
    assert {name.removesuffix(FILE) for name in named} <= set(FIELDS)


def test_the_container_may_do_no_more_than_it_needs():
    assert MUSTER["read_only"] is True
    assert (MUSTER["cap_drop"], MUSTER["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert all(port.startswith("127.0.0.1:") for port in MUSTER["ports"])
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)


def test_without_an_address_compose_starts_nothing():
    assert MUSTER["environment"]["MUSTER_PUBLIC_URL"].startswith("${MUSTER_PUBLIC_URL:?")


def test_all_that_is_written_is_in_a_volume():
    volumes = re.findall(r'"(/\w+)"', re.search(r"^VOLUME (.*)$", DOCKERFILE, re.MULTILINE)[1])
    assert volumes == [volume.partition(":")[2] for volume in MUSTER["volumes"]]


def test_what_the_image_copies_is_what_the_wheel_is_built_from():
    """No key, no data and no history can get into the image: everything is left out that is not named."""
    lines = (TOP / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    named = {line.removeprefix("!") for line in lines if line.startswith("!")}
    project = (TOP / "pyproject.toml").read_text(encoding="utf-8")
    forced = {name.partition("/")[0] for name in re.findall(r'^"([^"]+)" = "(?:webapp|share)/', project, re.MULTILINE)}
    assert forced | {"webapp", "LICENSE", "README.md", "THIRD_PARTY.md"} == {
        name for name in named if not name.startswith("requirements")
    }
