"""Rates between currencies, as live tickers give them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.services.analytics.prices import Prices, currencies


def rate(currency: str, *tickers: Ticker, into: str = "USD") -> float | None:
    return Prices(tickers).rates(into).value(1, currency)


def test_a_price_is_read_in_both_directions() -> None:
    ticker = Ticker("kraken", "BTC/USD", 50_000, 1)
    assert rate("BTC", ticker) == 50_000
    assert rate("USD", ticker, into="BTC") == pytest.approx(1 / 50_000)
    assert rate("USD") == 1


def test_a_rate_goes_by_way_of_one_other_currency_and_no_further() -> None:
    way = Ticker("a", "XRP/ETH", 0.5, 1), Ticker("b", "ETH/BTC", 0.1, 1), Ticker("c", "BTC/USD", 1_000, 1)
    assert rate("ETH", *way) == pytest.approx(100)
    assert rate("XRP", *way) is None


def test_the_shorter_way_is_taken_and_of_those_the_newest() -> None:
    around = Ticker("a", "ETH/BTC", 1.0, 99), Ticker("a", "BTC/USD", 7.0, 99)
    assert rate("ETH", *around, Ticker("b", "ETH/USD", 5, 1), Ticker("c", "ETH/USD", 6, 2)) == 6
    assert rate("ETH", *around, Ticker("b", "ETH/USDT", 5, 98), Ticker("b", "USDT/USD", 1, 100)) == 7


@pytest.mark.parametrize("symbol", ["BTC/USD:BTC", "BTC", "/USD", "BTC/"])
def test_what_is_no_spot_price_is_no_rate(symbol: str) -> None:
    assert rate("BTC", Ticker("kraken", symbol, 50_000, 1)) is None


def test_a_price_of_zero_is_none() -> None:
    assert rate("BTC", Ticker("kraken", "BTC/USD", 0, 1)) is None


def test_nothing_is_worth_nothing_also_without_a_price() -> None:
    rates = Prices([]).rates("USD")
    assert (rates.value(0, "XYZ"), rates.value(2, "XYZ")) == (0, None)


def test_the_oldest_ticker_that_was_needed_dates_the_figures() -> None:
    rates = Prices([Ticker("a", "ETH/USD", 1, 30), Ticker("a", "BTC/USD", 1, 20), Ticker("a", "X/USD", 1, 10)]).rates(
        "USD"
    )
    assert rates.oldest(["ETH", "BTC", "USD", "none"]) == datetime.fromtimestamp(20, UTC)
    assert rates.oldest(["USD"]) is None


def test_a_symbol_names_its_currencies() -> None:
    assert currencies("BTC/USD") == ("BTC", "USD", "")
    assert currencies("BTC/USD:BTC") == ("BTC", "USD", "BTC")
    assert currencies("GOLD") is None
