from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("[0-9]*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_docstring_of_an_example_has_the_command(example: Path) -> None:
    docstring = ast.get_docstring(ast.parse(example.read_text())) or ""
    assert f"    .venv/bin/python examples/{example.name}" in docstring


def test_readme_lists_every_example() -> None:
    listed = re.findall(r"^\| \[(\S+)\]\((\S+)\) \| \S.* \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert listed == [(example.name, example.name) for example in EXAMPLES]
