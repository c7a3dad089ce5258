"""Streams of states that writers change in Redis without publishing them: one watch per state for all subscribers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

from redis.asyncio import Redis

from fullon_graphql.cache import accounts, bots, keys, market, market_feeds, orders, processes
from fullon_graphql.cache.bots import FeedStatus
from fullon_graphql.cache.hub import Hub
from fullon_graphql.cache.market_feeds import MarketFeedStatus
from fullon_graphql.cache.orders import LiveOrder
from fullon_graphql.cache.processes import Report
from fullon_graphql.cache.watch import Key, Watch
from fullon_graphql.context import Watches
from fullon_graphql.daemons.control.manager import ServiceManager
from fullon_graphql.daemons.control.state import ServiceName, ServiceStatus

State = TypeVar("State")
Value = TypeVar("Value")


@dataclass
class WatchedSource(Generic[Key, State, Value]):
    """The states of one key of a watch, at most one every `interval` seconds.

    `authorize` raises if the caller may not read the key. It returns the function that turns a state into the field's
    value.
    """

    watch: Watch[Key, State]
    key: Key
    authorize: Callable[[], Awaitable[Callable[[State], Value]]]
    interval: float = 0.0
    _newest: list[Value] = field(default_factory=list, init=False)

    async def events(self) -> AsyncGenerator[Value, None]:
        value_of = await self.authorize()
        async with aclosing(self.watch.states(self.key)) as states:
            async for state in states:
                value = value_of(state)
                self._newest = [value]
                yield value
                await asyncio.sleep(self.interval)

    def snapshot(self) -> list[Value]:
        return self._newest


Accounts: TypeAlias = tuple[tuple[int, str], ...]
"""Exchange accounts: the key of each, and the name of its exchange."""
Instrument: TypeAlias = tuple[str, str]
"""The names of an exchange and of one of its symbols."""


def make_watches(hub: Hub, redis: Redis, services: ServiceManager, interval: float) -> Watches:
    """All watches of a worker, which read at least every `interval` seconds while they have subscribers."""

    async def read_bots(bot_ids: Sequence[int]) -> dict[int, list[FeedStatus]]:
        return dict(zip(bot_ids, await bots.read_statuses(redis, bot_ids), strict=True))

    async def read_processes(_: Sequence[None]) -> dict[None, list[Report]]:
        return {None: await processes.read(redis)}

    async def read_services(_: Sequence[None]) -> dict[None, list[ServiceStatus]]:
        return {None: await services.statuses()}

    async def read_feeds(_: Sequence[None]) -> dict[None, list[MarketFeedStatus]]:
        return {None: await market_feeds.read(redis)}

    async def read_orders(requested: Sequence[Accounts]) -> dict[Accounts, list[LiveOrder]]:
        distinct = list(dict.fromkeys(account for accounts_ in requested for account in accounts_))
        found = dict(zip(distinct, await orders.read(redis, distinct), strict=True))
        return {accounts_: [order for account in accounts_ for order in found[account]] for accounts_ in requested}

    async def read_trades(instruments: Sequence[Instrument]) -> dict[Instrument, Sequence[Any]]:
        queues = await asyncio.gather(
            *(market.read_trades(redis, *instrument, market.MOST_TRADES) for instrument in instruments)
        )
        return {instrument: queue.trades for instrument, queue in zip(instruments, queues, strict=True)}

    return Watches(
        balances=Watch(hub, [keys.changes(keys.ACCOUNTS)], partial(accounts.read_balances, redis), interval),
        positions=Watch(hub, [keys.changes(keys.POSITIONS)], partial(accounts.read_positions, redis), interval),
        bots=Watch(hub, [keys.changes(keys.BOT_STATUS)], read_bots, interval),
        processes=Watch(hub, [keys.changes(keys.PROCESS_COMPONENTS)], read_processes, interval),
        services=Watch(hub, [keys.service_changes(name) for name in ServiceName], read_services, interval),
        feeds=Watch(hub, [keys.changes(keys.MARKET_FEEDS)], read_feeds, interval),
        orders=Watch(hub, [keys.changes(keys.ORDER_STATUS)], read_orders, interval),
        trades=Watch(hub, [keys.changes(keys.TRADES)], read_trades, interval),
    )
