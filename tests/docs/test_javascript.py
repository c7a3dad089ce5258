"""The code to copy, the JavaScript and the TypeScript in the documentation are from files that the tests run."""

from __future__ import annotations

import re

import pytest

from tests.docs.documents import ROOT, Block, blocks

COPIED = [
    *(block for block in blocks(ROOT / "docs/clients.md") if block.language in {"js", "toml"}),
    *(block for block in blocks(ROOT / "docs/alerts.md") if block.language in {"js", "python"}),
]


@pytest.mark.parametrize("block", COPIED, ids=lambda block: block.place)
def test_code_to_copy_is_a_tested_file(block: Block) -> None:
    assert block.text == (ROOT / block.note.removeprefix("in ")).read_text()


EXCERPTS = [block for block in blocks(ROOT / "docs/front-end.md") if block.language == "ts"]


@pytest.mark.parametrize("block", EXCERPTS, ids=lambda block: block.place)
def test_excerpts_equal_the_files_they_name(block: Block) -> None:
    assert block.text.strip() in (ROOT / block.note.removeprefix("from ")).read_text()


def test_table_of_typed_clients_lists_every_scalar() -> None:
    scalars = set(re.findall(r"^scalar (\w+)", (ROOT / "schema.graphql").read_text(), re.MULTILINE))
    listed = re.findall(r"^\| `(\w+)` \| ", (ROOT / "docs" / "clients.md").read_text(), re.MULTILINE)
    assert set(listed) == scalars | {"Int", "Float", "String", "Boolean", "ID"}
