"""Benchmarks are not run by the tests, but what they import from the package has to be there."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def imported_names(path: Path) -> list[tuple[str, str]]:
    """Module and name of every ``from shibori... import`` of a script, at any depth."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return [(node.module or "", alias.name) for node in nodes for alias in node.names if node.level == 0]


def is_there(module: str, name: str) -> bool:
    """Whether a module has a name, or a package such a module."""
    found = importlib.import_module(module)
    is_package = hasattr(found, "__path__")
    return hasattr(found, name) or (is_package and importlib.util.find_spec(f"{module}.{name}") is not None)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_benchmark_finds_what_it_imports(path: Path):
    ours = [(module, name) for module, name in imported_names(path) if module.split(".")[0] == "shibori"]
    assert [(module, name) for module, name in ours if not is_there(module, name)] == []
