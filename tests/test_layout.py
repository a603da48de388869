"""Test modules stand alone: what several need is in tests/steps.py, in a conftest, or in a module that holds no tests."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def names_imported(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    members = [
        f"{node.module or ''}.{alias.name}" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    return plain + members


def test_no_module_imports_a_test_module():
    found = {
        f"{path.relative_to(TESTS)} imports {name}"
        for path in TESTS.rglob("*.py")
        for name in names_imported(path)
        if any(part.startswith("test_") for part in name.split(".")) and name.startswith(("tests.", "."))
    }
    assert found == set()
