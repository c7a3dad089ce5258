"""Rates between currencies from live tickers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.services.analytics.prices import Prices, currencies


def rate(currency: str, *tickers: Ticker, into: str = "USD") -> float | None:
    return Prices(tickers).rates(into).value(1, currency)


def test_ticker_gives_rates_in_both_directions() -> None:
    ticker = Ticker("kraken", "BTC/USD", 50_000, 1)
    assert rate("BTC", ticker) == 50_000
    assert rate("USD", ticker, into="BTC") == pytest.approx(1 / 50_000)
    assert rate("USD") == 1


def test_rate_uses_at_most_one_other_currency() -> None:
    way = Ticker("a", "XRP/ETH", 0.5, 1), Ticker("b", "ETH/BTC", 0.1, 1), Ticker("c", "BTC/USD", 1_000, 1)
    assert rate("ETH", *way) == pytest.approx(100)
    assert rate("XRP", *way) is None


def test_shortest_then_newest_path_is_used() -> None:
    around = Ticker("a", "ETH/BTC", 1.0, 99), Ticker("a", "BTC/USD", 7.0, 99)
    assert rate("ETH", *around, Ticker("b", "ETH/USD", 5, 1), Ticker("c", "ETH/USD", 6, 2)) == 6
    assert rate("ETH", *around, Ticker("b", "ETH/USDT", 5, 98), Ticker("b", "USDT/USD", 1, 100)) == 7


def test_price_of_the_own_exchange_comes_first() -> None:
    found = Prices([Ticker("a", "NEIRO/USD", 2, 1), Ticker("b", "NEIRO/USD", 700, 99), Ticker("b", "X/USDT", 3, 1),
                    Ticker("a", "USDT/USD", 1, 5), Ticker("b", "USDT/USD", 2, 4)])  # fmt: skip
    assert [found.rates("USD", exchange).value(1, "NEIRO") for exchange in ("a", "b", "c", None)] == [2, 700, 700, 700]
    assert [found.rates("USD", exchange).value(1, "X") for exchange in ("a", "b", None)] == [3, 6, 3]


@pytest.mark.parametrize("symbol", ["BTC/USD:BTC", "BTC", "/USD", "BTC/"])
def test_ticker_of_a_derivative_gives_no_rate(symbol: str) -> None:
    assert rate("BTC", Ticker("kraken", symbol, 50_000, 1)) is None


def test_ticker_with_price_zero_gives_no_rate() -> None:
    assert rate("BTC", Ticker("kraken", "BTC/USD", 0, 1)) is None


def test_amount_of_zero_has_value_zero_without_a_price() -> None:
    rates = Prices([]).rates("USD")
    assert (rates.value(0, "XYZ"), rates.value(2, "XYZ")) == (0, None)


def test_oldest_used_ticker_is_reported() -> None:
    rates = Prices([Ticker("a", "ETH/USD", 1, 30), Ticker("a", "BTC/USD", 1, 20), Ticker("a", "X/USD", 1, 10)]).rates(
        "USD"
    )
    assert rates.oldest(["ETH", "BTC", "USD", "none"]) == datetime.fromtimestamp(20, UTC)
    assert rates.oldest(["USD"]) is None


def test_currencies_are_parsed_from_a_symbol() -> None:
    assert currencies("BTC/USD") == ("BTC", "USD", "")
    assert currencies("BTC/USD:BTC") == ("BTC", "USD", "BTC")
    assert currencies("GOLD") is None
