"""Plain technical English: words that the project avoids in documents, docstrings and comments."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.documents import ROOT

AVOIDED: Final = re.compile(r"\b(whoever|nobody|somebody|anew|goes on|go on|is told|are told|tells)\b", re.IGNORECASE)
"""Words of riddles. A technical statement names its subject: the caller, the subscriber, the server."""

ROOMS: Final = (
    "*.md",
    "docs/architecture.md",
    "docs/library.md",
    "docs/releasing.md",
    "docs/performance.md",
    "docs/decisions/*.md",
    "benchmarks/*.md",
    "benchmarks/**/*.py",
    "tests/conftest.py",
    "tests/docs/*.py",
    "tests/examples/*.py",
    "tests/fixtures/*.py",
    "fullon_graphql/__init__.py",
    "fullon_graphql/app*.py",
    "fullon_graphql/routers.py",
    "Makefile",
    "pyproject.toml",
    ".ci/*",
)
"""The files that are read for it."""

ALLOWED: Final = {"tests/docs/test_language.py"}


def files() -> list[Path]:
    found = {path for room in ROOMS for path in ROOT.glob(room) if path.is_file()}
    return sorted(
        path for path in found if str(path.relative_to(ROOT)) not in ALLOWED and "node_modules" not in path.parts
    )


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of text for people: of Python its comments and docstrings, of other files everything."""
    text = path.read_text()
    if path.suffix != ".py":
        yield from enumerate(text.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.startswith('"""')):
            yield from enumerate(token.string.splitlines(), token.start[0])


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_text_uses_plain_terms(path: Path) -> None:
    found = {line: text.strip() for line, text in prose(path) if AVOIDED.search(text)}
    assert found == {}


def test_avoided_word_is_detected(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('"""Promise."""\n\nnobody = "somebody"  # whoever asks is told\n')
    assert [AVOIDED.findall(text) for _, text in prose(file)] == [[], ["whoever", "is told"]]
