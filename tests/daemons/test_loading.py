"""Classes by dotted path."""

from __future__ import annotations

import pytest

from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds.market_feed import load_feed
from fullon_graphql.daemons.loading import LoadingError, load_class
from fullon_graphql.daemons.ticker import TickerDaemon


@pytest.mark.parametrize(
    "path", ["fullon_graphql.daemons.ticker.TickerDaemon", "fullon_graphql.daemons.ticker:TickerDaemon"]
)
def test_a_class_is_found_by_dot_and_by_colon(path: str) -> None:
    assert load_class(path) is TickerDaemon


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("", "is not the path of a class"),
        ("TickerDaemon", "is not the path of a class"),
        ("no.such.module.Daemon", "cannot be imported: No module named 'no'"),
        ("fullon_graphql.daemons.ticker.NoSuch", "has no class 'NoSuch'"),
        ("fullon_graphql.daemons.ticker.asyncio", "has no class 'asyncio'"),
    ],
)
def test_a_path_that_leads_nowhere_says_why(path: str, complaint: str) -> None:
    with pytest.raises(LoadingError, match=complaint):
        load_class(path)


async def test_without_a_market_feed_the_error_says_what_to_set() -> None:
    with pytest.raises(LoadingError, match="Set MARKET_FEED"):
        await load_feed(Settings())
