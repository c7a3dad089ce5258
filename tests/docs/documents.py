"""The documents, and the parts of them that tests check."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "examples/README.md"])

_GENERATED = {"node_modules", "static", "dist", "build", "htmlcov", "gql"}
"""Folders that Git ignores, apart from hidden ones."""

_FENCED = re.compile(r"^```(\S*)[^\S\n]*([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its place for messages, its language, the note after the language, its text."""

    place: str
    language: str
    note: str
    text: str


def blocks(document: Path) -> Iterator[Block]:
    text = document.read_text()
    for found in _FENCED.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(f"{document.relative_to(ROOT)}:{line}", *found.groups())


def all_blocks(language: str) -> list[Block]:
    return [block for document in DOCUMENTS for block in blocks(document) if block.language == language]


def prose(document: Path) -> str:
    """The text without its fenced blocks."""
    return _FENCED.sub("", document.read_text())


def spans(document: Path) -> list[str]:
    """The texts between single backticks."""
    return _INLINE.findall(prose(document))


def source_files(*suffixes: str) -> Iterator[Path]:
    """The files of the repository with one of these suffixes, without hidden and generated folders except `.ci`."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(
            name for name in folders if name == ".ci" or not (name.startswith(".") or name in _GENERATED)
        )
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(suffixes))
