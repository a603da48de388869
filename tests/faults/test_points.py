"""The named points: each is a function that exists, and a test stops at it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.faults.points.sitecustomize import CONDITIONS, FUNCTIONS, PLACES

POINT = re.compile(rf'"(\w+)\.(?:{"|".join(PLACES)})"')


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_point_is_a_function_that_exists(name: str) -> None:
    module = importlib.import_module(FUNCTIONS[name])
    function = getattr(module, name)
    assert callable(function)
    assert function.__module__ == module.__name__, "it is defined elsewhere: name that module"
    if name in CONDITIONS:
        assert callable(getattr(module, CONDITIONS[name]))


def test_the_tests_stop_at_these_points_and_no_others() -> None:
    used = set()
    for file in Path(__file__).parent.glob("test_*.py"):
        used |= set(POINT.findall(file.read_text()))
    assert used == set(FUNCTIONS)
    assert set(CONDITIONS) <= set(FUNCTIONS)
