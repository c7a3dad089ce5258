"""Keys: the platform's names, and our prefix."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.cache import keys


def test_keys_have_the_names_of_the_platform() -> None:
    assert keys.tickers("bitmex") == "tickers:bitmex"
    assert keys.ticker_time("bitmex", "BTC/USD:BTC") == "ticker_time:bitmex:BTC/USD:BTC"
    assert keys.ticker_updates("kraken", "BTC/USD") == "ticker_updates:kraken:BTC/USD"
    assert keys.ACCOUNTS == "accounts"
    assert keys.POSITIONS == "account_positions"
    assert keys.new_orders("abc") == "new_orders:abc"
    assert keys.order_status(3) == "order_status:3"
    assert keys.order_status("kraken") == "order_status:kraken"
    assert keys.trades_status("kraken") == "TRADE:STATUS:kraken"
    assert keys.ohlcv("BTCUSD", "1m") == "ohlcv:BTCUSD:1m"
    assert keys.process_data("tick:a:1.5") == "process:data:tick:a:1.5"
    assert keys.process_active("tick") == "process:active:tick"


def test_key_of_trades_drops_the_slash_of_a_symbol_only() -> None:
    assert keys.trades("bitmex", "BTC/USD:BTC") == "trades:bitmex:BTCUSD:BTC"
    assert keys.trades("yahoo", "GOLD") == "trades:yahoo:GOLD"


@given(st.text(), st.floats(min_value=0, max_value=1e10))
def test_component_with_colons_is_found_in_its_process_id(component: str, started: float) -> None:
    assert keys.process_component(keys.process_id("tick", component, started)) == component


def test_our_keys_have_our_prefix() -> None:
    own = [keys.service_desired, keys.service_lease, keys.service_fence, keys.service_report, keys.service_changes]
    assert len({key("ticker") for key in own}) == len(own)
    assert all(key("ticker").startswith("fullon_graphql:") for key in own)
    assert keys.candle_writes("kraken", "BTC/USD").startswith("fullon_graphql:")
    assert keys.changes("accounts").startswith("fullon_graphql:")
