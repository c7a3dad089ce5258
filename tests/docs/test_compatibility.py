"""The tables of docs/compatibility.md agree with the code."""

from __future__ import annotations

import re

from fullon_graphql.rest.aliases import aliases
from tests.docs.documents import ROOT

_ALIAS = re.compile(r"^\| `(/api/[^`]*)` \| `([^`]*)` \|$", re.MULTILINE)


def test_aliases_are_listed_in_order() -> None:
    listed = _ALIAS.findall((ROOT / "docs/compatibility.md").read_text())
    assert listed == list(aliases("/api/v1").items())
