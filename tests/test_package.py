"""The front door: what `fullon_graphql` exports, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fullon_graphql
from fullon_graphql import app, application, config, routers

EXPORTS = {
    "Application": application.Application,
    "Settings": config.Settings,
    "create_app": app.create_app,
    "get_all_routers": routers.get_all_routers,
    "graphql_router": routers.graphql_router,
    "load_settings": config.load_settings,
    "rest_routers": routers.rest_routers,
}


def test_package_exports_these_names() -> None:
    assert fullon_graphql.__all__ == sorted(EXPORTS)
    assert {name: getattr(fullon_graphql, name) for name in EXPORTS} == EXPORTS
    assert set(EXPORTS) <= set(dir(fullon_graphql))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'fullon_graphql' has no attribute 'Graph'"):
        _ = fullon_graphql.Graph
    with pytest.raises(AttributeError, match=r"'fullon_graphql\.app' has no attribute 'application_'"):
        _ = app.application_


def test_importing_the_package_imports_no_dependency() -> None:
    code = "import sys; before = set(sys.modules); import fullon_graphql; print(*sorted(set(sys.modules) - before))"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.partition(".")[0] for name in imported} - {"fullon_graphql"} <= sys.stdlib_module_names
    assert [name for name in imported if name.startswith("fullon_graphql.")] == []
