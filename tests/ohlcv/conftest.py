from __future__ import annotations

from pathlib import Path

import pytest

from fullon_graphql.database import Database
from fullon_graphql.ohlcv.store import CandleStore


@pytest.fixture
def store(ohlcv_database: Database) -> CandleStore:
    """A reader with an empty catalogue."""
    return CandleStore(ohlcv_database)


@pytest.fixture
def recordings() -> Path:
    """Real market data, kept beside the repository."""
    folder = Path(__file__).parents[3] / "shared" / "market-data"
    if not folder.is_dir():
        pytest.skip("the recordings (../shared/market-data) are not here")
    return folder
