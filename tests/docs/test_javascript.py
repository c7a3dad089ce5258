"""The JavaScript that is there to be copied is what the tests of the client libraries run."""

from __future__ import annotations

import pytest

from tests.docs.documents import ROOT, Block, blocks

COPIED = [block for block in blocks(ROOT / "docs/clients.md") if block.language == "js"]


@pytest.mark.parametrize("block", COPIED, ids=lambda block: block.place)
def test_what_is_to_be_copied_is_a_file_that_the_tests_run(block: Block) -> None:
    assert block.text == (ROOT / block.note.removeprefix("in ")).read_text()
