"""The simulated market: deterministic and plausible."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds.market_feed import LiveFrom
from fullon_graphql.embedded.demo.market import DAY, STEP, Prices, SimulatedMarket, currencies, rounded

NOW = 1_718_000_000.0
SYMBOLS = ["BTC/USD", "BTC/USD:BTC", "ETH/BTC", "GOLD", "XRP/USDT", "NEW/USD"]

times = st.floats(1.5e9, 2.5e9)
symbols = st.sampled_from(SYMBOLS)


@pytest.fixture
def market() -> SimulatedMarket:
    return SimulatedMarket(Settings(market_seed=7))


@given(st.integers(), symbols, times)
def test_equal_seeds_give_equal_positive_prices(seed: int, symbol: str, at: float) -> None:
    price = Prices(seed).price("kraken", symbol, at)
    assert price > 0
    assert Prices(seed).price("kraken", symbol, at) == price


def test_different_seeds_give_different_prices() -> None:
    hours = [NOW + hour * 3600 for hour in range(48)]
    one, other = ([Prices(seed).price("kraken", "BTC/USD", at) for at in hours] for seed in (1, 2))
    assert one != other


def test_another_process_computes_the_same_price() -> None:
    program = (
        "from fullon_graphql.embedded.demo.market import Prices\n"
        f"print(Prices(7).price('kraken', 'BTC/USD', {NOW}))"  # string hashes differ there
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert float(output) == Prices(7).price("kraken", "BTC/USD", NOW)


@given(st.sampled_from(SYMBOLS), times)
def test_prices_move_in_small_steps(symbol: str, at: float) -> None:
    now, soon = (Prices(7).price("kraken", symbol, moment) for moment in (at, at + STEP))
    assert abs(soon / now - 1) < 0.002


@given(times)
def test_exchanges_differ_by_less_than_a_thousandth(at: float) -> None:
    kraken, bitmex = Prices(7).price("kraken", "BTC/USD", at), Prices(7).price("bitmex", "BTC/USD:BTC", at)
    assert abs(kraken / bitmex - 1) < 0.001


def test_prices_vary_plausibly_over_half_a_year() -> None:
    days = [Prices(7).price("kraken", "BTC/USD", NOW + day * DAY) for day in range(180)]
    assert 1.1 < max(days) / min(days) < 10


@given(symbols, times)
def test_ticker_is_plausible(symbol: str, at: float) -> None:
    market = SimulatedMarket(Settings(market_seed=7))
    ticker = market.ticker("kraken", symbol, at)
    assert ticker.bid is not None
    assert ticker.ask is not None
    assert ticker.change is not None
    assert ticker.percentage is not None
    assert ticker.volume is not None
    assert 0 < ticker.bid <= ticker.price <= ticker.ask
    assert ticker.price == ticker.last
    assert ticker.volume > 0
    assert ticker.percentage == pytest.approx(ticker.change / (ticker.price - ticker.change) * 100, rel=0.1, abs=0.01)


@given(symbols, st.integers(6_000_000_000, 8_000_000_000))
def test_trade_has_the_price_of_its_time(symbol: str, step: int) -> None:
    market = SimulatedMarket(Settings(market_seed=7))
    if trade := market.trade("kraken", symbol, step):
        assert trade.price == market.ticker("kraken", symbol, trade.time).price
        assert trade.volume > 0
        assert trade.side in {"buy", "sell"}


def test_about_every_second_step_has_a_trade(market: SimulatedMarket) -> None:
    trades = [market.trade("kraken", "BTC/USD", step) for step in range(1000)]
    assert 400 < sum(trade is not None for trade in trades) < 600
    assert len({trade.side for trade in trades if trade}) == 2


async def test_every_symbol_has_a_ticker_at_every_step(market: SimulatedMarket) -> None:
    async with asyncio.timeout(10), aclosing(market.tickers("kraken", ["BTC/USD", "GOLD"])) as stream:
        received = [await anext(stream) for _ in range(4)]
    assert [ticker.symbol for ticker in received] == ["BTC/USD", "GOLD"] * 2
    assert received[2].time - received[0].time == STEP
    assert received[0] == market.ticker("kraken", "BTC/USD", received[0].time)


async def test_delayed_stream_delivers_at_most_a_minute_of_the_past() -> None:
    now = NOW

    def clock() -> float:
        return now

    market = SimulatedMarket(Settings(), clock)
    async with asyncio.timeout(10), aclosing(market.trades("kraken", ["BTC/USD"])) as stream:
        start, first = await anext(stream), await anext(stream)
        now = NOW + 3600
        restart, second = await anext(stream), await anext(stream)
    assert start == LiveFrom("kraken", ["BTC/USD"], NOW + STEP)
    assert start.time <= first.time <= NOW + 10
    assert isinstance(restart, LiveFrom)
    assert restart.time == NOW + 3600 - 60
    assert restart.time <= second.time < NOW + 3600 - 40


async def test_past_trades_are_those_of_the_stream() -> None:
    market = SimulatedMarket(Settings(), lambda: NOW)
    since, until = NOW - 5_000.1, NOW + 60
    pages = [page async for page in market.past_trades("kraken", "BTC/USD", since, until)]
    first, last = math.ceil(since / STEP), math.ceil(NOW / STEP)
    streamed = [trade for step in range(first, last) if (trade := market.trade("kraken", "BTC/USD", step))]
    assert [trade for page in pages for trade in page.trades] == streamed
    assert [page.since for page in pages] == [since, *(page.until for page in pages[:-1])]
    assert pages[-1].until == NOW


async def test_candles_are_those_of_the_trades_of_whole_minutes() -> None:
    market = SimulatedMarket(Settings(), lambda: NOW + 30)
    [page] = [page async for page in market.candles("kraken", "BTC/USD", NOW - 150, NOW + 60)]
    start = NOW - NOW % 60
    assert (page.since, page.until) == (start - 120, start)
    for candle in page.candles:
        minute = candle.time.timestamp()
        [trades] = [page.trades async for page in market.past_trades("kraken", "BTC/USD", minute, minute + 60)]
        assert (candle.open, candle.close) == (trades[0].price, trades[-1].price)
        assert candle.volume == sum(trade.volume for trade in trades)
    assert len(page.candles) == 2


async def test_balances_add_up_and_differ_between_accounts(market: SimulatedMarket) -> None:
    mine, yours = [await market.balances(ex_id, "kraken", SYMBOLS) for ex_id in (1, 2)]
    assert [balance.currency for balance in mine] == ["USD", "BTC", "ETH", "GOLD"]
    assert all(balance.free + balance.used == pytest.approx(balance.total) for balance in mine)
    assert all(balance.used >= 0 and balance.free >= 0 for balance in mine)
    assert [balance.total for balance in mine] != [balance.total for balance in yours]


async def test_position_cost_is_volume_times_price_and_some_are_short(market: SimulatedMarket) -> None:
    positions = [position for ex_id in range(10) for position in await market.positions(ex_id, "kraken", SYMBOLS)]
    assert {position.side for position in positions} == {"long", "short"}
    for position in positions:
        assert abs(position.volume) * position.price == pytest.approx(position.cost, rel=0.02, abs=1)


def test_currencies_of_every_kind_of_symbol() -> None:
    assert currencies("BTC/USD") == ("BTC", "USD")
    assert currencies("BTC/USD:BTC") == ("BTC", "USD")
    assert currencies("GOLD") == ("GOLD", "USD")


@given(st.floats(1e-6, 1e9))
def test_rounding_keeps_six_digits(value: float) -> None:
    assert rounded(value) == pytest.approx(value, rel=1e-5, abs=0.005 if value > 1 else 1e-9)
