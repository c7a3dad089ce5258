"""The tables of docs/compatibility.md agree with the code."""

from __future__ import annotations

import re

from fullon_graphql.app import framework_application
from fullon_graphql.config import Settings
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.rest.aliases import aliases
from fullon_graphql.streaming.connections import ConnectionRegistry
from tests.docs.documents import ROOT

_ALIAS = re.compile(r"^\| `(/api/[^`]*)` \| `([^`]*)` \|$", re.MULTILINE)

_ROUTES = re.compile(r"^\| ([^|]*`[A-Z]+ /[^|]*) \| yes \|", re.MULTILINE)
_PATH = re.compile(r"`(?:[A-Z]+ )?(/[^`?]*)(?:\?[^`]*)?`")


def test_every_route_has_a_row_and_every_row_routes() -> None:
    settings = Settings()
    paths = {
        path.removeprefix("/api/v1")
        for path in framework_application(settings, Metrics(), ConnectionRegistry(settings)).openapi()["paths"]
    }
    tables = _ROUTES.findall((ROOT / "docs/compatibility.md").read_text())
    listed = {path for table in tables for path in _PATH.findall(table)} - {"/api/v1", "/api/v1/health"}
    patterns = {path: re.compile(re.escape(path).replace("…", ".+")) for path in listed}
    assert {path for path, pattern in patterns.items() if not any(ends_with(one, pattern) for one in paths)} == set()
    assert {one for one in paths if not any(ends_with(one, pattern) for pattern in patterns.values())} == {"/metrics"}


def ends_with(path: str, pattern: re.Pattern[str]) -> bool:
    """True if `path` ends with a match: rows shorten the paths after their first."""
    return re.search(f"{pattern.pattern}$", path) is not None


def test_aliases_are_listed_in_order() -> None:
    listed = _ALIAS.findall((ROOT / "docs/compatibility.md").read_text())
    assert listed == list(aliases("/api/v1").items())
