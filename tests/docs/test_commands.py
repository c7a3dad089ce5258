"""The commands that the documents name exist, with the options they name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from fullon_graphql.cli import app
from tests.docs.documents import DOCUMENTS, ROOT, blocks, spans

_MAKE = re.compile(r"(?<![\w-])make ([a-z-]+)")
_OURS = re.compile(r"(?<![\w-])fullon-graphql((?: +[^\s`\"')|#;]+)*)")
_TARGETS = re.compile(r"^([a-z -]+):.*## ", re.MULTILINE)


def commands(document: Path) -> Iterator[str]:
    """The texts that may contain commands: shell blocks and inline code."""
    yield from (block.text for block in blocks(document) if block.language in {"console", "sh"})
    yield from spans(document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_exists(document: Path) -> None:
    targets = set(" ".join(_TARGETS.findall((ROOT / "Makefile").read_text())).split())
    named = {target for command in commands(document) for target in _MAKE.findall(command)}
    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_ours_exists_with_its_options(document: Path) -> None:
    for command in commands(document):
        for words in _OURS.findall(command):
            assert unknown(words.split()) == [], f"fullon-graphql{words}"


@pytest.mark.parametrize("words", ["db repair", "serve --threads 4", "frobnicate"])
def test_unknown_command_is_detected(words: str) -> None:
    assert unknown(words.split()) != []


def unknown(words: list[str]) -> list[str]:
    """The words that are neither commands of this project, nor arguments, nor options."""
    command: Any = typer.main.get_command(app)
    rest = words[2:] if words[:1] == ["--env-file"] else list(words)
    while rest and hasattr(command, "commands") and not rest[0].startswith("--"):
        if rest[0] not in command.commands:
            return rest
        command = command.commands[rest.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    return [word for word in rest if word.startswith("--") and word not in options]
