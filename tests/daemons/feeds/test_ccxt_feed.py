"""The feed of real exchanges: ccxt talks to exchanges on this machine that have faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.feeds import ccxt_client
from fullon_graphql.daemons.feeds.ccxt_client import ExchangesNotInstalledError, UnknownExchangeError
from fullon_graphql.daemons.feeds.ccxt_feed import CcxtFeed
from fullon_graphql.daemons.feeds.exchange_link import ExchangeLink
from fullon_graphql.daemons.feeds.market_feed import LiveFrom, MarketTrade, SharedFeed
from fullon_graphql.daemons.feeds.timing import FeedTiming
from tests.daemons.feeds.conftest import collecting
from tests.fixtures.eventually import eventually
from tests.fixtures.loopback.exchange import Instrument, LoopbackExchange, Quote, until_subscribed
from tests.fixtures.loopback.okx import LoopbackOkx

FeedFor = Callable[[LoopbackExchange], CcxtFeed]

SYMBOLS = ["BTC/USD", "ETH/BTC"]
QUOTE = Quote(last=64_000.5, bid=64_000.1, ask=64_001.0, volume=12.5, open=60_000.0)


def newest(tickers: Sequence[Ticker]) -> dict[str, Ticker]:
    return {ticker.symbol: ticker for ticker in tickers}


def trades(items: Sequence[Any]) -> list[MarketTrade]:
    return [item for item in items if isinstance(item, MarketTrade)]


def gaps(items: Sequence[Any]) -> list[LiveFrom]:
    return [item for item in items if isinstance(item, LiveFrom)]


async def until_price(found: list[Ticker], price: float, symbol: str = "BTC/USD") -> Ticker:
    await eventually(lambda: symbol in newest(found) and newest(found)[symbol].price == price)
    return newest(found)[symbol]


async def test_ticker_has_the_values_of_the_exchange(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    async with collecting(feed_for(exchange).tickers(exchange.id, SYMBOLS)) as found:
        await eventually(lambda: set(newest(found)) == set(SYMBOLS))
        await until_subscribed(exchange, ("ticker", "BTC/USD"))
        await exchange.tick("BTC/USD", QUOTE)
        ticker = await until_price(found, QUOTE.last)
    assert (ticker.exchange, ticker.bid, ticker.ask, ticker.last) == (exchange.id, QUOTE.bid, QUOTE.ask, QUOTE.last)
    assert ticker.volume == QUOTE.volume
    assert ticker.change == pytest.approx(QUOTE.last - QUOTE.open)
    assert ticker.percentage == pytest.approx((QUOTE.last - QUOTE.open) / QUOTE.open * 100, rel=1e-3)
    assert 0 <= time.time() - ticker.time < 10


async def test_tickers_continue_after_disconnections(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    async with collecting(feed_for(exchange).tickers(exchange.id, SYMBOLS)) as found:
        for price in (1.0, 2.0, 3.0):
            await until_subscribed(exchange, ("ticker", "BTC/USD"), ("ticker", "ETH/BTC"))
            await exchange.tick("BTC/USD", Quote(last=price))
            await until_price(found, price)
            await exchange.disconnect()
            exchange.instruments["BTC/USD"].quote = Quote(last=price + 0.5)  # seen in the next snapshot only
            await until_price(found, price + 0.5)
    assert exchange.connections >= 3


async def test_silent_connection_is_made_again(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    async with collecting(feed_for(exchange).tickers(exchange.id, SYMBOLS)) as found:
        await until_subscribed(exchange, ("ticker", "BTC/USD"))
        exchange.faults.silent = True
        await exchange.tick("BTC/USD", Quote(last=1.0))
        await eventually(lambda: exchange.connections > 1)
        exchange.faults.silent = False
        await until_price(found, 1.0)


async def test_quiet_market_is_not_connected_again(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    feed = feed_for(exchange)
    exchange.record("BTC/USD", 1.0, 1.0, at=time.time() - 60)
    async with (
        collecting(feed.tickers(exchange.id, SYMBOLS)) as found,
        collecting(feed.trades(exchange.id, SYMBOLS)),
    ):
        await until_subscribed(exchange, ("ticker", "BTC/USD"), ("trade", "BTC/USD"))
        requests = len(exchange.requests)
        await eventually(lambda: len(exchange.requests) >= requests + 6)  # both streams have been compared
        await exchange.tick("BTC/USD", Quote(last=1.0))
        await until_price(found, 1.0)
    assert exchange.connections == 1


async def test_dead_stream_of_trades_is_connected_again(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    async with collecting(feed_for(exchange).trades(exchange.id, SYMBOLS)) as found:
        await until_subscribed(exchange, ("trade", "BTC/USD"))
        exchange.record("BTC/USD", 1.0, 1.0)  # happened, but not sent
        await eventually(lambda: exchange.connections > 1 and len(gaps(found)) == 2)


async def test_repeated_and_reordered_trades_are_delivered_once(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    async with collecting(feed_for(exchange).trades(exchange.id, SYMBOLS)) as found:
        await until_subscribed(exchange, ("trade", "BTC/USD"))
        exchange.faults.repeat, exchange.faults.reorder = 2, True
        deals = [await exchange.trade("BTC/USD", 100.0 + n, 0.5, "sell" if n % 2 else "buy") for n in range(6)]
        await eventually(lambda: len(trades(found)) == len(deals))
        await exchange.disconnect()
        await until_subscribed(exchange, ("trade", "BTC/USD"))  # kraken repeats the trades as a snapshot
        exchange.faults.reorder = False
        deals.append(await exchange.trade("BTC/USD", 200.0, 1.0))
        await eventually(lambda: trades(found)[-1].price == 200.0)
    assert {(trade.id, trade.price, trade.volume, trade.side) for trade in trades(found)} == {
        (str(deal.id), deal.price, deal.volume, deal.side) for deal in deals
    }
    assert len(trades(found)) == len(deals)
    assert all(abs(trade.time - deal.time) < 0.002 for trade, deal in zip(trades(found)[-1:], deals[-1:], strict=True))


async def test_flood_of_messages_is_read_to_its_end(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    """ccxt by itself stops reading a socket after some thousand messages in bursts."""
    async with collecting(feed_for(exchange).tickers(exchange.id, SYMBOLS)) as found:
        await until_subscribed(exchange, ("ticker", "BTC/USD"))
        for number in range(1, 5001):
            await exchange.tick("BTC/USD", Quote(last=float(number)))
            if number % 500 == 0:
                await until_price(found, float(number))
    assert exchange.connections == 1


async def test_every_reconnection_of_trades_is_announced(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    start = time.time()
    async with collecting(feed_for(exchange).trades(exchange.id, SYMBOLS)) as found:
        await eventually(lambda: gaps(found))
        await until_subscribed(exchange, ("trade", "BTC/USD"))
        await exchange.disconnect()
        await eventually(lambda: len(gaps(found)) == 2)
        await until_subscribed(exchange, ("trade", "BTC/USD"))
        await exchange.trade("BTC/USD", 7.0, 1.0)
        await eventually(lambda: trades(found))
    assert [gap.symbols for gap in gaps(found)] == [SYMBOLS, SYMBOLS]
    assert start < gaps(found)[0].time <= gaps(found)[1].time <= trades(found)[-1].time + 0.01
    assert isinstance(found[0], LiveFrom)


async def test_late_ticker_does_not_replace_a_newer_one(feed_for: FeedFor) -> None:
    exchange = LoopbackOkx(Instrument("BTC/USD"))  # OKX sends times with its tickers, Kraken does not
    async with exchange.running(), collecting(feed_for(exchange).tickers("okx", ["BTC/USD"])) as found:
        await until_subscribed(exchange, ("ticker", "BTC/USD"))
        exchange.faults.reorder = True
        await exchange.tick("BTC/USD", Quote(last=1.0))
        exchange.faults.clock_ahead = 0.5
        await exchange.tick("BTC/USD", Quote(last=2.0))  # sent first
        await until_price(found, 2.0)
        exchange.faults.reorder, exchange.faults.clock_ahead = False, 1.0
        await exchange.tick("BTC/USD", Quote(last=3.0))
        await until_price(found, 3.0)
    assert 1.0 not in [ticker.price for ticker in found]


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
async def test_exchange_with_a_wrong_clock_has_live_tickers(
    exchange: LoopbackExchange, feed_for: FeedFor, ahead: float
) -> None:
    async with collecting(feed_for(exchange).tickers(exchange.id, SYMBOLS)) as found:
        await until_subscribed(exchange, ("ticker", "BTC/USD"))
        await exchange.tick("BTC/USD", Quote(last=1.0))
        await until_price(found, 1.0)
        exchange.faults.clock_ahead = ahead
        await exchange.tick("BTC/USD", Quote(last=2.0))
        assert (await until_price(found, 2.0)).time <= time.time()
        exchange.faults.clock_ahead = 0.0
        await exchange.tick("BTC/USD", Quote(last=3.0))
        await until_price(found, 3.0)


async def test_too_many_requests_and_refused_sockets_delay_the_feed_only(
    exchange: LoopbackExchange, feed_for: FeedFor
) -> None:
    exchange.faults.too_many_requests, exchange.faults.refuse_sockets = 4, True
    async with collecting(feed_for(exchange).tickers(exchange.id, SYMBOLS)) as found:
        await eventually(lambda: exchange.faults.too_many_requests == 0)
        exchange.faults.refuse_sockets = False
        await until_subscribed(exchange, ("ticker", "BTC/USD"))
        await exchange.tick("BTC/USD", Quote(last=1.0))
        await until_price(found, 1.0)


async def test_symbol_that_the_exchange_lacks_or_refuses_does_not_stop_the_others(
    exchange: LoopbackExchange, feed_for: FeedFor
) -> None:
    exchange.faults.unknown = frozenset({"ETH/BTC"})
    async with collecting(feed_for(exchange).tickers(exchange.id, [*SYMBOLS, "DOGE/USD"])) as found:
        await until_subscribed(exchange, ("ticker", "BTC/USD"))
        await exchange.tick("BTC/USD", Quote(last=1.0))
        await until_price(found, 1.0)


async def test_unknown_exchange_delivers_nothing_and_does_not_end(kraken: LoopbackExchange, feed_for: FeedFor) -> None:
    feed = feed_for(kraken)
    async with (
        collecting(feed.tickers("yahoo", ["GOLD"])) as nothing,
        collecting(feed.tickers("kraken", SYMBOLS)) as found,
    ):
        await eventually(lambda: set(newest(found)) == set(SYMBOLS))
    assert nothing == []
    with pytest.raises(UnknownExchangeError, match="yahoo"):
        await feed.markets("yahoo")


async def test_streams_and_requests_of_an_exchange_share_one_socket(
    kraken: LoopbackExchange, feed_for: FeedFor
) -> None:
    feed = feed_for(kraken)
    async with (
        collecting(feed.tickers("kraken", SYMBOLS)) as found,
        collecting(feed.trades("kraken", SYMBOLS)) as deals,
    ):
        await until_subscribed(kraken, ("ticker", "BTC/USD"), ("trade", "BTC/USD"))
        await kraken.trade("BTC/USD", 5.0, 1.0)
        await eventually(lambda: trades(deals) and found)
        await feed.markets("kraken")
        assert kraken.connections == 1
        assert kraken.requests.count("/0/public/AssetPairs") == 1
    await eventually(lambda: not kraken.subscriptions)


async def test_exchange_without_sockets_is_polled(kraken: LoopbackExchange, feed_for: FeedFor) -> None:
    feed = feed_for(kraken)
    link = feed._link("kraken")
    async with link.used():
        client = (await link.session()).client
        client.has.update(watchTickers=False, watchTicker=False, watchTradesForSymbols=False, watchTrades=False)
        kraken.record("BTC/USD", 1.0, 1.0)
        async with (
            collecting(feed.tickers("kraken", SYMBOLS)) as found,
            collecting(feed.trades("kraken", SYMBOLS)) as deals,
        ):
            await eventually(lambda: set(newest(found)) == set(SYMBOLS) and trades(deals))
            kraken.instruments["BTC/USD"].quote = Quote(last=2.0)
            kraken.record("BTC/USD", 2.0, 1.0)
            await until_price(found, 2.0)
            await eventually(lambda: [trade.price for trade in trades(deals)] == [1.0, 2.0])
    assert kraken.connections == 0


async def test_market_facts_are_those_of_the_exchange(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    markets = {market.symbol: market for market in await feed_for(exchange).markets(exchange.id)}
    assert set(markets) == set(SYMBOLS)
    btc = markets["BTC/USD"]
    assert (btc.base, btc.quote, btc.futures, btc.decimals) == ("BTC", "USD", False, 8)
    assert (btc.price_step, btc.amount_step) == (0.1, 1e-8)
    assert btc.min_notional == (5.0 if exchange.id == "kraken" else None)


async def test_candles_of_the_past_are_those_of_the_exchange(exchange: LoopbackExchange, feed_for: FeedFor) -> None:
    now = time.time()
    this_minute = now // 60 * 60
    for minutes_ago, price in [(500, 10.0), (500, 12.0), (499, 11.0), (3, 20.0), (1, 21.0), (0, 22.0)]:
        exchange.record("BTC/USD", price, 0.5, at=this_minute - 60 * minutes_ago)
    pages = [
        page async for page in feed_for(exchange).candles(exchange.id, "BTC/USD", this_minute - 500 * 60, now + 60)
    ]
    stored = [(c.time.timestamp(), c.open, c.high, c.low, c.close, c.volume) for page in pages for c in page.candles]
    assert stored == [row[:6] for row in exchange.instruments["BTC/USD"].candles(0, this_minute)]
    assert (pages[0].since, pages[-1].until) == (this_minute - 500 * 60, this_minute)
    assert all(page.until == following.since for page, following in pairwise(pages))


async def test_candles_that_the_exchange_no_longer_has_are_not_covered(
    kraken: LoopbackExchange, feed_for: FeedFor
) -> None:
    this_minute = time.time() // 60 * 60
    kraken.record("BTC/USD", 1.0, 1.0, at=this_minute - 1000 * 60)
    [page] = [p async for p in feed_for(kraken).candles("kraken", "BTC/USD", this_minute - 1000 * 60, this_minute)]
    assert (page.since, page.until, page.candles) == (this_minute - 719 * 60, this_minute, [])


async def test_past_trades_are_read_page_by_page(kraken: LoopbackExchange, feed_for: FeedFor) -> None:
    start = time.time() // 1 - 7200
    deals = [kraken.record("BTC/USD", 100.0 + n, 1.0, at=start + n // 3) for n in range(2500)]  # three share a time
    pages = [page async for page in feed_for(kraken).past_trades("kraken", "BTC/USD", start, start + 5000)]
    assert [trade.id for page in pages for trade in page.trades] == [str(deal.id) for deal in deals]
    assert (pages[0].since, pages[-1].until) == (start, start + 5000)
    assert len(pages) > 2


async def test_history_is_requested_again_after_too_many_requests(kraken: LoopbackExchange, feed_for: FeedFor) -> None:
    feed = feed_for(kraken)
    this_minute = time.time() // 60 * 60
    kraken.record("BTC/USD", 1.0, 1.0, at=this_minute - 60)
    async with collecting(feed.tickers("kraken", SYMBOLS)) as found:
        await eventually(lambda: found)
        kraken.faults.too_many_requests = 2
        [page] = [p async for p in feed.candles("kraken", "BTC/USD", this_minute - 600, this_minute)]
    assert [candle.close for candle in page.candles] == [1.0]


async def test_missing_ccxt_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ccxt_client, "find_spec", lambda name: None)
    with pytest.raises(ExchangesNotInstalledError, match=r"pip install 'fullon-graphql\[exchanges\]'"):
        await SharedFeed().load(Settings())


async def test_outage_of_a_day_ends_no_feed() -> None:
    """A doubled pause would overflow after a thousand failures."""
    failures = 0

    async def open_client() -> Any:
        nonlocal failures
        failures += 1
        if failures > 1_100:
            raise UnknownExchangeError("kraken")
        raise OSError("unreachable")

    link = ExchangeLink("kraken", open_client, FeedTiming(first_backoff=0.0, longest_backoff=0.0))
    with pytest.raises(UnknownExchangeError):
        await link.session()
