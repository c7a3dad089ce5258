from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec

import pytest

from tests.docs.documents import Block, all_blocks

NEW = "notices"
"""The module that the checklist invents."""
TABLE = "Notice"
"""Its invented table."""


@pytest.mark.parametrize("block", all_blocks("python"), ids=lambda block: block.place)
def test_imports_of_the_example_exist(block: Block) -> None:
    for statement in ast.walk(ast.parse(block.text)):
        if isinstance(statement, ast.ImportFrom) and statement.module and NEW not in statement.module:
            names = [alias.name for alias in statement.names if alias.name not in {NEW, TABLE}]
            assert {name for name in names if not provides(statement.module, name)} == set()


def provides(module: str, name: str) -> bool:
    return hasattr(import_module(module), name) or find_spec(f"{module}.{name}") is not None
