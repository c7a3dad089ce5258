"""Links have targets, and the named files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, all_blocks, prose, spans

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"(?:fullon_graphql|tests|docs|examples|requirements)/[\w./-]+")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

NEW = ("notices", "test_bots")
"""Names in files that the checklists invent."""


def anchor(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_has_a_target(document: Path) -> None:
    for link in _LINK.findall(prose(document)):
        if link.startswith("https://"):
            continue
        name, _, place = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        assert not place or place in map(anchor, _HEADING.findall(target.read_text())), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_named_file_exists(document: Path) -> None:
    named = {path for span in spans(document) for path in _PATH.findall(span) if not any(new in path for new in NEW)}
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_every_document_is_linked_from_the_front_page() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        links = [link.partition("#")[0] for link in _LINK.findall(prose(document)) if ".md" in link]
        found = {(document.parent / link).resolve() for link in links if not link.startswith("https://")}
        waiting += found - reached - set(waiting)
    assert set(DOCUMENTS) - reached == set()


def test_front_page_lists_every_part_of_the_package() -> None:
    [tree] = [block.text for block in all_blocks("") if block.text.startswith("fullon_graphql/")]
    inside = re.findall(r"^  (?! )(\S+(?:  ?\S+)*)", tree, re.MULTILINE)
    shown = {name for line in inside for name in re.findall(r"\w+(?:/|\.py)", line)}
    package = ROOT / "fullon_graphql"
    folders = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert shown == folders | {path.name for path in package.glob("[!_]*.py")}
