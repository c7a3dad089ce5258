"""An account of an exchange over ccxt: streams announce changes, and requests read them.

The private streams of exchanges leave out much that requests return, such as fees or the amounts that open orders
reserve, and a message may be lost, repeated or late. Orders, fills and positions are therefore always read by requests,
balances also from the stream. Without a stream the account is polled.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from typing import Any, Final

import structlog

from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.daemons.control.state import backoff
from fullon_graphql.daemons.feeds import ccxt_records
from fullon_graphql.daemons.feeds.account_feed import (
    Account,
    AccountUpdate,
    Fill,
    NextReading,
    OrderReport,
    ReadingRequest,
)
from fullon_graphql.daemons.feeds.ccxt_client import errors
from fullon_graphql.daemons.feeds.requests import jittered, repeated_request
from fullon_graphql.daemons.feeds.timing import AccountTiming
from fullon_graphql.models.order_status import FINAL
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)

ENDED_AT_ONCE: Final = 10
"""Orders that are requested one by one in a reading; further ones in the next."""

SHORTEST_PAGE: Final = 20
"""A shorter page of fills is the last one on every exchange."""

PAGES: Final = 100
"""Pages of fills that one reading requests at most."""

CONTRACTS: Final = 20
"""Derivatives of the catalogue of which the fills are requested one by one, on exchanges that separate them."""

CLOSING: Final = 5.0
"""Seconds for closing the sockets of a stream."""


class Part(Enum):
    """A part of an account that is read by itself."""

    ORDERS = 1
    BALANCES = 2
    POSITIONS = 3


class StreamLostError(Exception):
    """A private stream ended, or was silent although there was news."""


class AccountReader:
    """Reads one account by a client with its keys. `secrets` are left out of all texts."""

    def __init__(
        self,
        client: Any,
        account: Account,
        symbols: Sequence[str],
        next_reading: NextReading,
        timing: AccountTiming,
        secrets: Collection[str],
    ) -> None:
        self._client = client
        self._account = account
        self._symbols = [symbol for symbol in symbols if symbol in client.markets]
        self._next_reading = next_reading
        self._timing = timing
        self._secrets = secrets
        self._wake = asyncio.Event()
        self._parts = {Part.ORDERS, Part.BALANCES} | ({Part.POSITIONS} if client.has.get("fetchPositions") else set())
        self._changed = set(self._parts)
        """The parts to read next."""
        self._balances: list[Balance] | None = None
        self._has_streamed_balances = False
        self._positions: dict[str, Position] = {}
        self._open: dict[str, str] = {}
        """Orders that were open at the last reading: id → symbol."""
        self._requested: set[str] = set()
        """The wanted orders of the last reading."""
        self._forgotten: dict[str, float] = {}
        """Orders that the exchange does not know → when to ask again, by the monotonic clock."""
        self._seen_orders: frozenset[object] | None = None
        self._seen_fills: frozenset[str] = frozenset()
        """The open orders and the fills of the last reading."""
        self._balance_messages = 0
        self._announced_at = 0.0
        """When the stream announced orders or fills last. These times are by the monotonic clock."""
        self._read_at = dict.fromkeys(Part, -math.inf)
        self._all_read_at = time.monotonic()
        self._asked_at = 0.0
        self._unannounced_since: float | None = None
        """When a reading found a change that the stream had not announced."""
        self._denied: dict[Part, tuple[str, float]] = {}
        """The parts that the exchange refuses, e.g. without a permission: the reason, and when to try again."""
        self._left_out: set[str] = set()
        """Streams that the exchange does not have for a whole account, by ccxt's name of the feature."""
        self._stream_error: str | None = None
        self._silence = asyncio.Event()
        """Set to end a stream that is silent although there is news."""

    async def updates(self) -> AsyncGenerator[AccountUpdate]:
        """The state, then each change, until a request fails for good.

        Raises:
            ccxt's errors, OSError and TimeoutError.
        """
        streaming = asyncio.create_task(self._keep_streaming())
        was_streamed = False
        try:
            while True:
                if part := await self._due():
                    await asyncio.sleep(self._timing.settle)
                    yield await self._read(part)
                    was_streamed = self._is_streamed()
                if self._has_streamed_balances:
                    self._has_streamed_balances = False
                    yield self._update(balances=self._balances)
                if was_streamed != self._is_streamed():
                    was_streamed = not was_streamed
                    yield self._update()
                self._check_silence()
                if streaming.done():
                    streaming.result()
                await self._wait()
        finally:
            streaming.cancel()
            await asyncio.gather(streaming, return_exceptions=True)

    # ------------------------------------------------------------ reading

    async def _read(self, part: Part) -> AccountUpdate:
        """Read a part. One that the exchange refuses is left out for some time.

        Raises:
            ccxt's AuthenticationError: the keys do not work. ExchangeError: the exchange refuses every part.
            NetworkError, OSError and TimeoutError.
        """
        self._changed.discard(part)
        try:
            update = await self._requested_part(part)
        except errors().ExchangeError as error:
            if isinstance(error, errors().AuthenticationError) and not isinstance(error, errors().PermissionDenied):
                raise
            self._denied[part] = (self._reason(error), time.monotonic() + self._timing.refused)
            log.warning("account.denied", **self._named(), part=part.name, error=self._reason(error))
            if self._denied.keys() >= self._parts:
                raise
            return self._update()
        if self._denied.pop(part, None):
            return replace(update, error=self._error())
        return update

    async def _requested_part(self, part: Part) -> AccountUpdate:
        previously, self._read_at[part] = self._read_at[part], time.monotonic()
        if part is Part.ORDERS:
            request = await self._ask()
            self._requested = set(request.orders)
            open_orders = await self._open_orders()
            ended = await self._ended_orders(request, open_orders)
            fills = [] if request.fills_since is None else await self._fills(request.fills_since)
            self._note_change(open_orders, fills, previously)
            return self._update(open_orders=open_orders, ended_orders=ended, fills=fills)
        if part is Part.BALANCES:
            messages = self._balance_messages
            raw = await self._request("fetch_balance")
            if messages != self._balance_messages:  # the answer may be older than the stream
                self._changed.add(Part.BALANCES)
            self._balances = ccxt_records.balances(self._account.ex_id, raw)
            self._has_streamed_balances = False
            return self._update(balances=self._balances)
        raws = await self._request("fetch_positions")
        found = ccxt_records.all_of(ccxt_records.position(self._client, self._account.ex_id, raw) for raw in raws)
        self._positions = {position.symbol: position for position in found}
        return self._update(positions=found)

    async def _open_orders(self) -> list[OrderReport]:
        raws = await self._everywhere("fetch_open_orders")
        return ccxt_records.all_of(ccxt_records.order(self._client, raw) for raw in raws)

    async def _ended_orders(self, wanted: ReadingRequest, open_orders: Sequence[OrderReport]) -> list[OrderReport]:
        """The states of orders that were open or are wanted, and are not among the open ones."""
        now, open_now = time.monotonic(), {order.ex_order_id: order.symbol for order in open_orders}
        missing = {key: symbol for key, symbol in {**self._open, **wanted.orders}.items() if key not in open_now}
        self._forgotten = {key: until for key, until in self._forgotten.items() if key in missing and until > now}
        asked = [key for key in missing if key not in self._forgotten]
        self._open = open_now | {key: missing[key] for key in asked}
        found = []
        for key in asked[:ENDED_AT_ONCE]:
            order = await self._order(key, missing[key])
            if order is None:
                self._forgotten[key] = now + self._timing.forgotten
                self._open.pop(key)
                continue
            found.append(order)
            if order.status in FINAL:
                self._open.pop(key)
        if len(asked) > ENDED_AT_ONCE:
            self._changed.add(Part.ORDERS)
        return found

    async def _order(self, key: str, symbol: str) -> OrderReport | None:
        """An order by the exchange's id, or None if the exchange does not return it."""
        try:
            return ccxt_records.order(self._client, await self._request("fetch_order", key, symbol))
        except errors().AuthenticationError:  # also without the permission
            raise
        except errors().ExchangeError as error:
            log.info("account.order_unknown", **self._named(), order=key, error=self._reason(error))
            return None

    async def _fills(self, since: float) -> list[Fill]:
        """All fills since a time, in order of time."""
        found: dict[tuple[str, str], Fill] = {}
        try:
            await self._collect_fills(found, None, since)
            separate = self._contracts()
        except errors().ArgumentsRequired:  # the exchange returns fills of one symbol only
            separate = self._symbols
        for symbol in separate:
            await self._collect_fills(found, symbol, since)
        return sorted(found.values(), key=lambda fill: fill.time)

    def _contracts(self) -> list[str]:
        """Derivatives, of an exchange that also has others: without a symbol it returns fills of the others only."""
        if not self._client.has.get("spot"):
            return []
        return [symbol for symbol in self._symbols if self._client.markets[symbol].get("contract")][:CONTRACTS]

    async def _collect_fills(self, found: dict[tuple[str, str], Fill], symbol: str | None, since: float) -> None:
        """Add all pages. Exchanges return the oldest or the newest page first."""
        pages, start = 0, round(since * 1000)
        page = oldest = newest = await self._page_of_fills(found, symbol, start)
        while oldest and pages < PAGES:
            until = min(fill.time for fill in oldest)
            oldest = await self._page_of_fills(found, symbol, start, {"until": round(until * 1000)})
            pages += 1
        while newest and pages < PAGES:
            newest = await self._page_of_fills(found, symbol, round(max(fill.time for fill in newest) * 1000))
            pages += 1
        if page and pages >= PAGES:
            log.error("account.fills_incomplete", **self._named(), pages=pages)

    async def _page_of_fills(
        self,
        found: dict[tuple[str, str], Fill],
        symbol: str | None,
        since: int,
        params: Mapping[str, int] | None = None,
    ) -> list[Fill]:
        """Add one page. Returns the fills that were new, or none if there can be no other page."""
        raws = await self._request("fetch_my_trades", symbol, since, None, dict(params or {}))
        fills = ccxt_records.all_of(ccxt_records.fill(self._client, raw) for raw in raws)
        fresh = [fill for fill in fills if (fill.ex_trade_id, fill.ex_order_id) not in found]
        found.update({(fill.ex_trade_id, fill.ex_order_id): fill for fill in fresh})
        return fresh if len(raws) >= SHORTEST_PAGE else []

    async def _everywhere(self, method: str) -> list[Any]:
        """The answers for all symbols: in one request, or for each symbol of the catalogue if that is required."""
        try:
            return list(await self._request(method))
        except errors().ArgumentsRequired:
            return [raw for symbol in self._symbols for raw in await self._request(method, symbol)]

    async def _request(self, method: str, *arguments: Any) -> Any:
        return await repeated_request(lambda: getattr(self._client, method)(*arguments), self._timing)

    async def _ask(self) -> ReadingRequest:
        self._asked_at = time.monotonic()
        return await self._next_reading()

    # ------------------------------------------------------------ waiting

    async def _wait(self) -> None:
        """Wait for a message of a stream, but not long: a reading may be due."""
        self._wake.clear()
        if self._changed - self._denied.keys():
            await asyncio.sleep(self._timing.settle)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(min(self._timing.fast, self._timing.gap)):
                await self._wake.wait()

    async def _due(self) -> Part | None:
        """The part to read now. Of several changed ones it is the one that was read least recently."""
        now = time.monotonic()
        is_busy = bool(self._open) and not self._announces_orders()
        if now - self._all_read_at >= (self._timing.fast if is_busy else self._timing.slow):
            self._all_read_at = now
            self._changed |= self._parts
        elif now - self._asked_at >= self._timing.fast and not (await self._ask()).orders.keys() <= self._requested:
            self._changed.add(Part.ORDERS)
        ready = [
            part
            for part in self._changed
            if now - self._read_at[part] >= self._timing.gap
            and (part not in self._denied or self._denied[part][1] < now)
        ]
        return min(ready, key=lambda part: (self._read_at[part], part.value)) if ready else None

    def _note_change(self, orders: Sequence[OrderReport], fills: Sequence[Fill], previously_read: float) -> None:
        """Suspect the stream if it has not announced a change."""
        seen = frozenset((order.ex_order_id, order.filled) for order in orders)
        ids = frozenset(fill.ex_trade_id for fill in fills)
        has_changed = self._seen_orders not in (None, seen) or bool(self._seen_fills and ids - self._seen_fills)
        self._seen_orders, self._seen_fills = seen, ids
        if not has_changed or not self._announces_orders():
            return
        if self._announced_at < previously_read:
            self._unannounced_since = time.monotonic()

    def _check_silence(self) -> None:
        """End a stream that has not announced a change in time."""
        if self._unannounced_since is None:
            return
        if self._announced_at >= self._unannounced_since or not self._is_streamed():
            self._unannounced_since = None
        elif time.monotonic() - self._unannounced_since > self._timing.delivery:
            self._unannounced_since = None
            self._silence.set()

    # ------------------------------------------------------------ streams

    def _announces_orders(self) -> bool:
        """True while a stream announces changes of orders."""
        features = {"watchOrders", "watchMyTrades"} - self._left_out
        return self._is_streamed() and any(self._client.has.get(feature) for feature in features)

    def _is_streamed(self) -> bool:
        """True while a stream is connected."""
        sockets = (self._client.clients or {}).values()
        return self._stream_error is None and any(socket.isConnected for socket in sockets)

    async def _keep_streaming(self) -> None:
        """Follow the streams that the exchange has; after a failure again after a pause."""
        available: dict[str, tuple[str, Callable[[Any], None]]] = {
            "watchOrders": ("watch_orders", self._on_orders),
            "watchMyTrades": ("watch_my_trades", self._on_orders),
            "watchBalance": ("watch_balance", self._on_balances),
            "watchPositions": ("watch_positions", self._on_positions),
        }
        streams = [(feature, *stream) for feature, stream in available.items() if self._client.has.get(feature)]
        failures = 0
        while streams:
            began, self._silence = time.monotonic(), asyncio.Event()
            pause = await self._stream(streams)
            failures = 1 if time.monotonic() - began > self._timing.healthy else failures + 1
            await self._drop_sockets()
            self._changed |= self._parts
            self._wake.set()
            await asyncio.sleep(jittered(backoff(failures, self._timing) if pause is None else pause))
            self._stream_error = None

    async def _stream(self, streams: Sequence[tuple[str, str, Callable[[Any], None]]]) -> float | None:
        """Follow the streams until one fails. Returns the pause if the exchange has refused them."""
        tasks = [asyncio.create_task(self._follow(*stream)) for stream in streams]
        tasks.append(asyncio.create_task(self._require_news()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        error = next(iter(done)).exception() or StreamLostError("The stream ended.")
        self._stream_error = self._reason(error)
        log.warning("account.stream_lost", **self._named(), error=self._stream_error)
        return self._timing.refused if isinstance(error, errors().ExchangeError) else None

    async def _follow(self, feature: str, method: str, on_message: Callable[[Any], None]) -> None:
        is_first = True
        while True:
            try:
                message = await getattr(self._client, method)()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task and task.cancelling():
                    raise
                raise StreamLostError("The connection was closed.") from None  # ccxt cancels its futures
            except (errors().ArgumentsRequired, errors().NotSupported) as error:  # e.g. for one symbol only
                log.info("account.stream_left_out", **self._named(), stream=method, error=self._reason(error))
                self._left_out.add(feature)
                await asyncio.Event().wait()
            if is_first:  # changes before the subscription are not announced
                self._changed |= self._parts
                is_first = False
            on_message(message)
            self._wake.set()
            await asyncio.sleep(self._timing.settle)

    async def _require_news(self) -> None:
        await self._silence.wait()
        raise StreamLostError("The stream is silent, although the account has changed.")

    def _on_orders(self, _: Any) -> None:
        self._announced_at = time.monotonic()
        self._changed |= self._parts

    def _on_balances(self, message: Any) -> None:
        self._balance_messages += 1
        if self._balances is None:
            return
        self._balances = ccxt_records.balances(self._account.ex_id, message, self._balances)
        self._has_streamed_balances = True
        if any(amount is None for amount in (message.get("free") or {}).values()):
            self._changed.add(Part.BALANCES)

    def _on_positions(self, message: Any) -> None:
        for raw in message:
            known = self._positions.get(raw.get("symbol"))
            streamed = ccxt_records.position(self._client, self._account.ex_id, raw)
            if (known and (known.volume, known.price)) != (streamed and (streamed.volume, streamed.price)):
                self._changed |= self._parts & {Part.POSITIONS}

    async def _drop_sockets(self) -> None:
        """Close the sockets, so that the next stream signs in again."""
        sockets, self._client.clients = list((self._client.clients or {}).values()), {}
        for socket in sockets:
            socket.on_message_callback = socket.on_error_callback = socket.on_close_callback = _ignore
            with suppress(Exception):  # it is broken already
                async with asyncio.timeout(CLOSING):
                    await socket.close()

    def _update(self, **parts: Any) -> AccountUpdate:
        return AccountUpdate(**parts, streamed=self._is_streamed(), error=self._error())

    def _error(self) -> str | None:
        return self._stream_error or next((error for error, _ in self._denied.values()), None)

    def _named(self) -> dict[str, object]:
        return {"exchange": self._account.exchange, "ex_id": self._account.ex_id}

    def _reason(self, error: BaseException) -> str:
        return reason(error, self._secrets)


def _ignore(*_: Any) -> None:
    pass
