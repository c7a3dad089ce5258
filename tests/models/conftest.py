"""Databases for tests of migrations and examinations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fullon_graphql.config import Settings
from fullon_graphql.models.migrate import create_databases, upgrade
from tests.fixtures.temporary_databases import absent_database


@pytest.fixture
def empty_database(settings: Settings) -> Iterator[str]:
    """The address of a database without a single table."""
    with absent_database(settings) as url:
        create_databases(url)
        yield url


@pytest.fixture
def migrated_database(empty_database: str) -> str:
    """The address of a migrated database that the test may alter."""
    upgrade(empty_database)
    return empty_database
