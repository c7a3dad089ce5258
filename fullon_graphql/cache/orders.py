"""Orders as last reported by the exchange daemons, in the platform's layout."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import (
    UnreadableError,
    execute,
    items,
    leave_out,
    parse_number,
    parse_object,
    parse_text,
    parse_time,
    scan,
    texts,
)

_TEXTS: Final = ("symbol", "status", "order_type", "side", "reason")
_NUMBERS: Final = ("volume", "final_volume", "price")


FINISHED_KEPT: Final = timedelta(hours=1)
"""How long reports about finished orders are kept."""


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """A report about an order. `key` is the exchange's id of the order or, before it has one, the platform's."""

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

    Writers store reports under the account or under the exchange. The hash of an exchange has the orders of all
    accounts, of which those with the account's `ex_id` are returned. If both have an order, the account's one counts.
    """
    places: list[int | str] = list(dict.fromkeys(place for account in accounts for place in account))
    async with redis.pipeline(transaction=False) as pipeline:
        for place in places:
            pipeline.hgetall(keys.order_status(place))
        answers = await execute(pipeline, "orders")
    stored = {place: _parse_orders(place, answer) for place, answer in zip(places, answers, strict=True)}
    return [_of_account(ex_id, stored[ex_id], stored[exchange]) for ex_id, exchange in accounts]


async def write(
    redis: Redis,
    ex_id: int,
    reports: Mapping[str, Mapping[str, Any]],
    final: Collection[str],
    now: datetime | None = None,
) -> None:
    """Store reports about orders of an account, by the exchange's id, and announce it.

    A report keeps what it does not have from the one before, such as the bot. Reports about orders with a
    `final` status (in lower case) are removed after an hour.
    """
    now = now or datetime.now(UTC)
    key = keys.order_status(ex_id)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(key)
        [answer] = await execute(pipeline, "orders")
    stored = _parse_orders(ex_id, answer)
    old = [name for name, order in stored.items() if name not in reports and _is_old(order, final, now)]
    written: dict[Any, str] = {
        name: json.dumps(
            stored.get(name, {})
            | {field: value for field, value in report.items() if value is not None}
            | {"order_id": name, "ex_order_id": name, "timestamp": now.isoformat()}
        )
        for name, report in reports.items()
    }
    if not old and not written:
        return
    async with redis.pipeline(transaction=False) as pipeline:
        if old:
            pipeline.hdel(key, *old)
        if written:
            pipeline.hset(key, mapping=written)
        pipeline.publish(keys.changes(keys.ORDER_STATUS), "")
        await pipeline.execute()


async def read_queues(redis: Redis, order_ids: Sequence[str]) -> list[list[str]]:
    """The exchange's ids that were returned for each local order id, oldest first, in one round trip."""
    async with redis.pipeline(transaction=False) as pipeline:
        for order_id in order_ids:
            pipeline.lrange(keys.new_orders(order_id), 0, -1)
        answers = await execute(pipeline, "order_queues")
    return [list(items(answer, "new_order")) for answer in answers]


async def read_queue_sizes(redis: Redis) -> dict[str, int]:
    """The number of ids returned for each local order id, by that id."""
    found = await scan(redis, keys.NEW_ORDERS)
    async with redis.pipeline(transaction=False) as pipeline:
        for key in found:
            pipeline.llen(key)
        sizes = await execute(pipeline, "order_queues")
    return {keys.local_order_id(key): size for key, size in zip(found, sizes, strict=True) if size is not None}


def _is_old(order: Mapping[str, Any], final: Collection[str], now: datetime) -> bool:
    reported = parse_time(order.get("timestamp"))
    return str(order.get("status")).lower() in final and reported is not None and now - reported > FINISHED_KEPT


def _of_account(ex_id: int, own: Mapping[str, Any], shared: Mapping[str, Any]) -> list[LiveOrder]:
    named = {key: order for key, order in shared.items() if str(order.get("ex_id")) == str(ex_id)}
    return [_order(key, ex_id, order) for key, order in sorted({**named, **own}.items())]


def _parse_orders(place: int | str, stored: Mapping[str, str] | None) -> dict[str, dict[str, Any]]:
    found = {}
    for key, text in texts(stored, "order"):
        try:
            found[key] = parse_object(text)
        except UnreadableError as error:
            leave_out("order", error, place=place, order=key)
    return found


def _order(key: str, ex_id: int, order: Mapping[str, Any]) -> LiveOrder:
    texts: dict[str, Any] = {name: parse_text(order.get(name)) for name in _TEXTS}
    numbers: dict[str, Any] = {name: parse_number(order.get(name)) for name in _NUMBERS}
    return LiveOrder(key, ex_id, **texts, **numbers, timestamp=parse_time(order.get("timestamp")))
