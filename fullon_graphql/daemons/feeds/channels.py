"""Live data of one kind from one exchange: tickers, or trades.

ccxt keeps what a socket receives in caches of bounded size, and the channels read these caches at short intervals: no
queue grows while a consumer is slow. Of tickers the newest is delivered; trades that fell out of the cache are a gap.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, Final, Generic, TypeVar

import structlog

from fullon_graphql.cache.market_feeds import FeedState
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.daemons.feeds.ccxt_client import UnknownExchangeError, errors, finite
from fullon_graphql.daemons.feeds.exchange_link import ExchangeLink, Session, SessionLostError
from fullon_graphql.daemons.feeds.market_feed import FeedHealth, LiveFrom, MarketTrade
from fullon_graphql.observability.metrics import FEED_DELAYS
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)

GROUP: Final = 100
"""Most symbols in one subscription."""

KNOWN_TRADES: Final = 1000
"""Trades per symbol by which repeated ones are recognised."""

PROBED: Final = 10
"""Symbols whose trades are requested after a long silence."""

T = TypeVar("T")


class Channel(ABC, Generic[T]):
    """A stream of one kind of data in some symbols of an exchange, across sessions. It never ends by itself."""

    def __init__(self, link: ExchangeLink, symbols: Sequence[str]) -> None:
        self.symbols = list(symbols)
        self.received: set[str] = set()
        """The symbols with data in this session."""
        self.refused: dict[str, str] = {}
        """The symbols that the exchange does not have or refused, with the reason."""
        self.data_at: float | None = None
        """Unix seconds of the newest data."""
        self.lag: float | None = None
        """Seconds from the exchange's time of the newest data until its arrival, if the exchange sends its time."""
        self.quiet = False
        """True if the exchange confirmed that there is no newer data."""
        self._is_unknown = False
        self._link = link
        self._timing = link.timing
        self._patience = self._timing.stale_first
        self._usual_gap: float | None = None
        self._last_data = 0.0
        self._probe: asyncio.Task[bool] | None = None

    def health(self) -> FeedHealth:
        """The state of the stream."""
        session = self._link.current
        connected_since = session.connected_at if session else None
        if self._link.error or (session is None and self._link.reconnects) or self._is_unknown:
            state = FeedState.DOWN
        elif connected_since is None or (self.data_at is None and not self.quiet):
            state = FeedState.CONNECTING
        else:
            state = FeedState.QUIET if self.quiet else FeedState.LIVE
        return FeedHealth(
            state=state,
            connected_since=connected_since,
            last_message_at=self.data_at,
            lag=self.lag,
            reconnects=self._link.reconnects,
            symbols_missing=self.missing(),
            error=next(iter(self.refused.values())) if self._is_unknown else self._link.error,
        )

    def missing(self) -> set[str]:
        """The symbols that the exchange does not have or refused, and of which no data has come since."""
        return {symbol for symbol in self.refused if symbol not in self.received}

    async def stream(self) -> AsyncGenerator[T, None]:
        """The data, across all sessions."""
        async with self._link.used():
            while True:
                try:
                    session = await self._link.session()
                except UnknownExchangeError as error:
                    self._is_unknown = True
                    self.refused = dict.fromkeys(self.symbols, str(error))
                    log.warning("feed.unknown_exchange", exchange=self._link.exchange)
                    await asyncio.Event().wait()
                try:
                    async with aclosing(self._read(session)) as items:
                        async for item in items:
                            yield item
                except SessionLostError as error:
                    self._link.lost(session, str(error))

    async def _read(self, session: Session) -> AsyncGenerator[T, None]:
        """The data of a session.

        Raises:
            SessionLostError: the session has ended, or misses data that the exchange has.
        """
        self.received.clear()
        self.quiet = False
        self._last_data = time.monotonic()
        known = [symbol for symbol in self.symbols if symbol in session.client.markets]
        self.refused = dict.fromkeys(set(self.symbols) - set(known), "The exchange has no such symbol.")
        async with session.listening() as message:
            tasks: list[asyncio.Task[Any]] = [asyncio.create_task(work) for work in self._work(session, known)]
            for task in tasks:
                task.add_done_callback(lambda _: message.set())
            try:
                while True:
                    await self._next_message(message)
                    for item in self._collect(session):
                        yield item
                    self._require_life(session, tasks)
                    self._check_silence(session, known)
            finally:
                tasks += [self._probe] if self._probe else []
                self._probe = None
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _next_message(self, message: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._timing.check):
                await message.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._timing.pace)
        message.clear()

    def _require_life(self, session: Session, tasks: Iterable[asyncio.Task[Any]]) -> None:
        if session.failure:
            raise SessionLostError(session.failure)
        for task in tasks:
            if task.done() and (task.cancelled() or task.exception()):
                error = None if task.cancelled() else task.exception()
                raise SessionLostError(reason(error) if error else "The connection was closed.")

    def _check_silence(self, session: Session, symbols: Sequence[str]) -> None:
        """After a long silence, find out whether the market is quiet or the stream is dead."""
        silence = time.monotonic() - self._last_data
        if silence <= self._patience or not symbols or self._polls(session.client):
            return
        if self._probe is None:
            self._probe = asyncio.create_task(self._misses_data(session, symbols))
        elif self._probe.done():
            probe, self._probe = self._probe, None
            self._require_life(session, [probe])
            if probe.result():
                raise SessionLostError(f"The stream has been silent for {silence:.0f} s, although there is new data.")
            self.quiet = True
            self._patience = max(self._patience, min(2 * silence, self._timing.stale_max))

    async def _misses_data(self, session: Session, symbols: Sequence[str]) -> bool:
        """True if the exchange has data that the stream did not deliver in time."""
        silent_since = self._last_data
        try:
            if not await self.has_news(session.client, symbols):
                return False
        except errors().ExchangeError as error:
            log.info("feed.not_probed", exchange=self._link.exchange, error=reason(error))
            return False
        await asyncio.sleep(self._timing.delivery)
        return self._last_data == silent_since

    def _note_data(self, exchange_time: float | None, now: float) -> None:
        self.data_at = now
        self.lag = None if exchange_time is None else max(0.0, now - exchange_time)
        if self.lag is not None:
            FEED_DELAYS.add(self._link.exchange, self.lag)

    def _note_delivery(self) -> None:
        """Learn the usual gap between deliveries."""
        now = time.monotonic()
        gap = now - self._last_data
        self._last_data = now
        self.quiet = False
        self._usual_gap = gap if self._usual_gap is None else 0.9 * self._usual_gap + 0.1 * gap
        usual = self._usual_gap * self._timing.stale_gaps
        self._patience = min(max(usual, self._timing.stale_min), self._timing.stale_max)

    def _work(self, session: Session, symbols: Sequence[str]) -> list[Any]:
        """The coroutines that fill the caches of the client."""
        if self._polls(session.client):
            return [self._poll(session, symbols)] if symbols else []
        size = GROUP if session.client.has.get(self.watch_many) else 1
        groups = [symbols[start : start + size] for start in range(0, len(symbols), size)]
        return [self._subscribe(session, group) for group in groups]

    def _polls(self, client: Any) -> bool:
        """True if the exchange does not stream this data."""
        return not (client.has.get(self.watch_many) or client.has.get(self.watch_one))

    async def _subscribe(self, session: Session, symbols: Sequence[str]) -> None:
        """Subscribe once. If the exchange refuses a group, subscribe to its halves, until the refused symbol is alone.

        Raises:
            ccxt's errors of the network, and unexpected ones.
        """
        try:
            await self.watch(session.client, symbols)
        except errors().ExchangeError as error:
            if len(symbols) > 1:
                middle = len(symbols) // 2
                async with asyncio.TaskGroup() as halves:
                    halves.create_task(self._subscribe(session, symbols[:middle]))
                    halves.create_task(self._subscribe(session, symbols[middle:]))
                return
            self._refuse(symbols[0], error)
            await asyncio.sleep(self._timing.retry_symbol)
            await self._subscribe(session, symbols)

    async def _poll(self, session: Session, symbols: Sequence[str]) -> None:
        while True:
            await self.poll(session, symbols)
            self._link.heard(session)
            await asyncio.sleep(self._timing.poll)

    def _refuse(self, symbol: str, error: BaseException) -> None:
        self.refused[symbol] = reason(error)
        log.warning("feed.symbol_refused", exchange=self._link.exchange, symbol=symbol, error=reason(error))

    watch_many: str
    watch_one: str
    """ccxt's names of the features."""

    @abstractmethod
    async def watch(self, client: Any, symbols: Sequence[str]) -> None:
        """Subscribe to some symbols, or to one if the exchange has no subscription to several."""

    @abstractmethod
    async def poll(self, session: Session, symbols: Sequence[str]) -> None:
        """Request the data once, and fill the caches of the client like its sockets do."""

    @abstractmethod
    async def has_news(self, client: Any, symbols: Sequence[str]) -> bool:
        """True if a request returns something that the stream has not delivered."""

    @abstractmethod
    def _collect(self, session: Session) -> list[T]:
        """The new entries of the caches of the client."""


class TickerChannel(Channel[Ticker]):
    """The newest ticker of each symbol."""

    watch_many, watch_one = "watchTickers", "watchTicker"

    def __init__(self, link: ExchangeLink, symbols: Sequence[str]) -> None:
        super().__init__(link, symbols)
        self._seen: dict[str, Any] = {}

    async def watch(self, client: Any, symbols: Sequence[str]) -> None:
        """Subscribe."""
        if client.has.get(self.watch_many):
            await client.watch_tickers(list(symbols))
        else:
            await client.watch_ticker(symbols[0])

    async def poll(self, session: Session, symbols: Sequence[str]) -> None:
        """Request all tickers at once if the exchange can."""
        client = session.client
        if client.has.get("fetchTickers"):
            for symbol, ticker in (await client.fetch_tickers(list(symbols))).items():
                client.tickers[symbol] = ticker
            return
        for symbol in symbols:
            try:
                client.tickers[symbol] = await client.fetch_ticker(symbol)
            except errors().ExchangeError as error:
                self._refuse(symbol, error)

    async def has_news(self, client: Any, symbols: Sequence[str]) -> bool:
        """Compare the prices of the last trades."""
        if client.has.get("fetchTickers"):
            current = await client.fetch_tickers(list(symbols))
        else:
            current = {symbols[0]: await client.fetch_ticker(symbols[0])}
        return any(
            ticker.get("last") != (client.tickers.get(symbol) or {}).get("last") for symbol, ticker in current.items()
        )

    def missing(self) -> set[str]:
        """The symbols without a ticker since the connection was made, once there is one."""
        return super().missing() if self._link.current is None else set(self.symbols) - self.received

    def _work(self, session: Session, symbols: Sequence[str]) -> list[Any]:
        needs_snapshot = symbols and not self._polls(session.client)
        snapshot = [self._request_snapshot(session, symbols)] if needs_snapshot else []
        return [*super()._work(session, symbols), *snapshot]

    async def _request_snapshot(self, session: Session, symbols: Sequence[str]) -> None:
        """Request the tickers of symbols that the exchange does not send upon subscription, because they are quiet."""
        client = session.client
        if not client.has.get("fetchTickers"):
            return
        try:
            snapshot = await client.fetch_tickers(list(symbols))
        except errors().BaseError as error:
            log.info("feed.no_snapshot", exchange=self._link.exchange, error=reason(error))
            return
        for symbol, ticker in snapshot.items():
            if symbol not in self.received:
                client.tickers[symbol] = ticker
        session.wake()

    def _collect(self, session: Session) -> list[Ticker]:
        wanted, now = set(self.symbols), time.time()
        fresh = [
            (symbol, raw)
            for symbol, raw in session.client.tickers.items()
            if symbol in wanted and raw is not self._seen.get(symbol)
        ]
        self._seen.update(fresh)
        found = [ticker for symbol, raw in fresh if (ticker := self._ticker(symbol, raw, now))]
        self.received.update(ticker.symbol for ticker in found)
        if found:
            self._note_delivery()
        return found

    def _ticker(self, symbol: str, raw: Any, now: float) -> Ticker | None:
        """The ticker in ccxt's form, or None if it has no price."""
        last, bid, ask = (_positive(raw.get(name)) for name in ("last", "bid", "ask"))
        price = last or _positive(raw.get("close")) or ((bid + ask) / 2 if bid and ask else None)
        if price is None:
            return None
        sent = raw["timestamp"] / 1000 if raw.get("timestamp") else None
        self._note_data(sent, now)
        volume, change, percentage = (finite(raw.get(name)) for name in ("baseVolume", "change", "percentage"))
        at = min(sent or now, now)  # the clock of the exchange may be ahead
        return Ticker(self._link.exchange, symbol, price, at, volume, bid, ask, last, change, percentage)


class TradeChannel(Channel[MarketTrade | LiveFrom]):
    """Every trade once, and `LiveFrom` at the beginning and after each gap."""

    watch_many, watch_one = "watchTradesForSymbols", "watchTrades"

    def __init__(self, link: ExchangeLink, symbols: Sequence[str]) -> None:
        super().__init__(link, symbols)
        self._known: defaultdict[str, dict[Any, None]] = defaultdict(dict)
        self._gaps: dict[str, float] = {}
        """Symbols of which polling has missed trades, with the time (unix seconds) of the first known one after."""
        self._live: Session | None = None

    async def watch(self, client: Any, symbols: Sequence[str]) -> None:
        """Subscribe."""
        if client.has.get(self.watch_many):
            await client.watch_trades_for_symbols(list(symbols))
        else:
            await client.watch_trades(symbols[0])

    async def poll(self, session: Session, symbols: Sequence[str]) -> None:
        """Request the newest trades of each symbol."""
        for symbol in symbols:
            try:
                page = await session.client.fetch_trades(symbol)
            except errors().ExchangeError as error:
                self._refuse(symbol, error)
            else:
                self._add_page(session, symbol, page)

    async def has_news(self, client: Any, symbols: Sequence[str]) -> bool:
        """Look for an unknown trade that is newer than the silence, in some symbols."""
        silent_since = time.time() - (time.monotonic() - self._last_data)
        for symbol in symbols[:PROBED]:
            page = await client.fetch_trades(symbol)
            if any(
                raw["timestamp"] / 1000 > silent_since and _identity(raw) not in self._known[symbol] for raw in page
            ):
                return True
        return False

    def _add_page(self, session: Session, symbol: str, page: Sequence[Any]) -> None:
        from ccxt.async_support.base.ws.cache import ArrayCache

        known = self._known[symbol]
        if page and known and not any(_identity(raw) in known for raw in page):
            self._gaps[symbol] = page[0]["timestamp"] / 1000
        cache = session.client.trades.setdefault(symbol, ArrayCache(len(page) + KNOWN_TRADES))
        for raw in page:
            cache.append(raw)

    def _collect(self, session: Session) -> list[MarketTrade | LiveFrom]:
        found: list[MarketTrade | LiveFrom] = []
        now = time.time()
        if self._live is not session:
            if session.heard_at is None:
                return []
            self._live = session
            found.append(LiveFrom(self._link.exchange, self.symbols, now + self._timing.subscribe))
        wanted = set(self.symbols)
        for symbol, cache in session.client.trades.items():
            if symbol in wanted and cache:
                found += self._trades(symbol, cache, now)
        if any(isinstance(item, MarketTrade) for item in found):
            self._note_delivery()
        return found

    def _trades(self, symbol: str, cache: Any, now: float) -> list[MarketTrade | LiveFrom]:
        """Take the trades of a symbol out of its cache."""
        raws, overflow = list(cache), len(cache) == cache.max_size
        cache.clear()
        self.received.add(symbol)
        known = self._known[symbol]
        found: list[MarketTrade | LiveFrom] = []
        for raw in raws:
            identity = _identity(raw)
            if identity in known:
                continue
            known[identity] = None
            if trade := market_trade(self._link.exchange, symbol, raw):
                self._note_data(trade.time, now)
                found.append(trade)
        for identity in list(known)[: max(0, len(known) - KNOWN_TRADES)]:
            del known[identity]
        gap = self._gaps.pop(symbol, raws[0]["timestamp"] / 1000 if overflow else None)
        return [LiveFrom(self._link.exchange, [symbol], gap), *found] if gap is not None else found


def market_trade(exchange: str, symbol: str, raw: Any) -> MarketTrade | None:
    """The trade in ccxt's form, or None if it has no price, volume or time."""
    price, volume, timestamp = _positive(raw.get("price")), _positive(raw.get("amount")), raw.get("timestamp")
    if price is None or volume is None or timestamp is None:
        log.info("feed.trade_left_out", exchange=exchange, symbol=symbol, price=price, volume=volume, time=timestamp)
        return None
    side = "sell" if raw.get("side") == "sell" else "buy"
    return MarketTrade(exchange, symbol, price, volume, side, timestamp / 1000, id=str(raw.get("id") or ""))


def _identity(raw: Any) -> Any:
    """The exchange's id of a trade; without one, all of its facts."""
    return raw.get("id") or (raw.get("timestamp"), raw.get("price"), raw.get("amount"), raw.get("side"))


def _positive(value: Any) -> float | None:
    number = finite(value)
    return number if number and number > 0 else None
