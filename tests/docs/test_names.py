"""Names of files and classes: the usual names of their subjects, one word for one meaning."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

from tests.docs.documents import ROOT, source_files

RENAMED_FILES: Final = re.compile(
    r"(?:^|/)(?:"
    r"engine/(?:orders|changes|keys|inputs|groups|isolation)"
    r"|services/(?:accounts|book|proof|one_time_codes|writing)"
    r"|streaming/(?:groups|sharing|resuming|presence)"
    r"|(?:embedded|engines)/account"
    r"|parts|subtrees|statements|unplanned|rendering|line|door|wording|manners|asking|tenure|board|bell|reason|minutes"
    r"|bounded|driver|home|holding|blows|stage"
    r")\.py$|/plain/"
)
"""Former names of files. Their subjects have the names in docs/decisions/0016-the-house.md and its tree."""

RENAMED_CLASSES: Final = frozenset(
    [
        "Hole",
        "Group",
        "Listener",
        "Hand",
        "Knows",
        "Wanted",
        "Resumed",
        "Presence",
        "Presences",
        "Write",
        "Writes",
        "Intent",
        "Sight",
        "Bounded",
        "Loan",
        "Doors",
        "Desk",
        "TheProcess",
        "TheCaller",
        "ThePage",
        "Operations",
        "Documents",
        "Streams",
        "Identities",
    ]
)
"""Former names of classes of the package."""

TRADING_ORDERS: Final = frozenset(
    ["cache", "demo", "models", "orm", "platform_ws", "resolvers", "schema", "services", "subscriptions"]
)
"""Folders with a file about trading orders. No other file may be called `…orders.py`."""


def classes(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)}


def test_files_have_the_usual_names_of_their_subjects() -> None:
    names = [str(path.relative_to(ROOT)) for path in source_files(".py")]
    assert [name for name in names if RENAMED_FILES.search(name)] == []


@pytest.mark.parametrize(
    "name", ["fullon_graphql/engine/orders.py", "a/door.py", "fullon_graphql/transports/plain/x.py"]
)
def test_former_file_name_is_detected(name: str) -> None:
    assert RENAMED_FILES.search(name)


def test_files_called_orders_are_about_trading_orders() -> None:
    found = list(source_files("orders.py"))
    assert found
    assert {path.parent.name for path in found} <= TRADING_ORDERS
    assert [str(path) for path in found if not re.search(r"\borders?\b", path.read_text(), re.IGNORECASE)] == []


def test_classes_have_the_usual_names_of_their_subjects() -> None:
    package = [path for path in source_files(".py") if path.is_relative_to(ROOT / "fullon_graphql")]
    assert package
    assert {str(path): found for path in package if (found := classes(path) & RENAMED_CLASSES)} == {}
