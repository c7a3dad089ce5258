"""Orders as the exchange daemons last reported them. Only read, and never taken away from whoever waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import structlog
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import read_number, read_object, read_text, read_time

log = structlog.get_logger(__name__)

_TEXTS: Final = ("symbol", "status", "order_type", "side", "reason")
_SCANNED: Final = 1_000  # keys that Redis looks at before it lets others in
_NUMBERS: Final = ("volume", "final_volume", "price")


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """A report about one order. `key` is the exchange's id of it or, before it has one, the platform's."""

    key: str
    ex_id: int
    symbol: str | None
    status: str | None
    order_type: str | None
    side: str | None
    reason: str | None
    volume: float | None
    final_volume: float | None
    price: float | None
    timestamp: datetime | None


async def read(redis: Redis, accounts: Sequence[tuple[int, str]]) -> list[list[LiveOrder]]:
    """The reports about the orders of each account (`ex_id`, name of its exchange), by key, in one round trip.

    Writers file an order under either of the two; under the exchange's name lie everybody's, of which only those are
    taken that name the account. Where both places know an order, the account's own counts.
    """
    places: list[int | str] = list(dict.fromkeys(place for account in accounts for place in account))
    async with redis.pipeline(transaction=False) as pipeline:
        for place in places:
            pipeline.hgetall(keys.order_status(place))
        answers = await pipeline.execute()
    stored = {place: _objects(place, answer.items()) for place, answer in zip(places, answers, strict=True)}
    return [_of_account(ex_id, stored[ex_id], stored[exchange]) for ex_id, exchange in accounts]


async def read_queues(redis: Redis, order_ids: Sequence[str]) -> list[list[str]]:
    """The exchange's ids that wait as answers to each local order id, oldest first, in one round trip."""
    async with redis.pipeline(transaction=False) as pipeline:
        for order_id in order_ids:
            pipeline.lrange(keys.new_orders(order_id), 0, -1)
        return cast("list[list[str]]", await pipeline.execute())


async def read_queue_sizes(redis: Redis) -> dict[str, int]:
    """How many answers wait for each local order id for which any do, by that id."""
    waiting = sorted([key async for key in redis.scan_iter(keys.NEW_ORDERS, count=_SCANNED)])
    async with redis.pipeline(transaction=False) as pipeline:
        for key in waiting:
            pipeline.llen(key)
        return dict(zip(map(keys.local_order_id, waiting), await pipeline.execute(), strict=True))


def _of_account(ex_id: int, own: Mapping[str, Any], shared: Mapping[str, Any]) -> list[LiveOrder]:
    named = {key: order for key, order in shared.items() if str(order.get("ex_id")) == str(ex_id)}
    return [_order(key, ex_id, order) for key, order in sorted({**named, **own}.items())]


def _objects(place: int | str, stored: Iterable[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """The orders of one hash; one that is no JSON object is logged and left out."""
    found = {}
    for key, text in stored:
        try:
            found[key] = read_object(text)
        except ValueError as error:
            log.warning("order_status.unreadable", place=place, order=key, error=repr(error))
    return found


def _order(key: str, ex_id: int, order: Mapping[str, Any]) -> LiveOrder:
    texts: dict[str, Any] = {name: read_text(order.get(name)) for name in _TEXTS}
    numbers: dict[str, Any] = {name: read_number(order.get(name)) for name in _NUMBERS}
    return LiveOrder(key, ex_id, **texts, **numbers, timestamp=read_time(order.get("timestamp")))
