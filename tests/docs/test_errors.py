from __future__ import annotations

import re

from fullon_graphql.engine.errors import PARSE_FAILED, VALIDATION_FAILED
from fullon_graphql.errors import FullonError
from tests.docs.documents import ROOT

_ROW = re.compile(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| \S.* \|$", re.MULTILINE)


def test_every_code_of_an_error_is_documented() -> None:
    rows = _ROW.findall((ROOT / "docs/graph.md").read_text())
    documented = [code for row in rows for code in re.findall("[A-Z_]+", row)]
    codes = dict.fromkeys(error.code for error in FullonError.__subclasses__())
    assert documented == [*codes, PARSE_FAILED, VALIDATION_FAILED]
