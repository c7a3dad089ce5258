"""Live balances and positions of exchange accounts, as the platform keeps them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

import orjson
import structlog
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import read_time

log = structlog.get_logger(__name__)

Held = TypeVar("Held")

BALANCES_TIME = "date"
POSITIONS_TIME = "timestamp"
"""Beside the currencies (symbols) of an account lies one key that is none: the time of the last write."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds of one currency. `updated_at` is when the account was last written (UTC)."""

    ex_id: int
    currency: str
    total: float
    free: float
    used: float
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """What an account holds of one symbol: `volume` in base currency, below zero for a short; `cost` in quote."""

    ex_id: int
    symbol: str
    volume: float
    cost: float
    price: float
    fee: float = 0.0
    count: float = 0.0
    timestamp: datetime | None = None

    @property
    def side(self) -> str | None:
        """`long`, `short`, or None for an empty position. The platform stores only the sign of the volume."""
        if self.volume == 0:
            return None
        return "long" if self.volume > 0 else "short"


async def read_balances(redis: Redis, ex_ids: Sequence[int]) -> dict[int, list[Balance]]:
    """The balances of many accounts in one round trip; an account nobody has written has an empty list."""
    accounts = await _read(redis, keys.ACCOUNTS, ex_ids)
    return {ex_id: _balances(ex_id, account) for ex_id, account in accounts.items()}


async def read_positions(redis: Redis, ex_ids: Sequence[int]) -> dict[int, list[Position]]:
    """The positions of many accounts in one round trip; an account nobody has written has an empty list."""
    accounts = await _read(redis, keys.POSITIONS, ex_ids)
    return {ex_id: _positions(ex_id, account) for ex_id, account in accounts.items()}


async def write(
    redis: Redis,
    balances: Mapping[int, Iterable[Balance]],
    positions: Mapping[int, Iterable[Position]],
    now: datetime | None = None,
) -> None:
    """Replace what is stored of each account named, and say so, in one round trip.

    An account without positions loses its field.
    """
    written = (now or datetime.now(UTC)).isoformat()
    async with redis.pipeline(transaction=False) as pipeline:
        for ex_id, held in balances.items():
            pipeline.hset(keys.ACCOUNTS, str(ex_id), _encode_balances(held, written))
        for ex_id, open_positions in positions.items():
            if text := _encode_positions(open_positions, written):
                pipeline.hset(keys.POSITIONS, str(ex_id), text)
            else:
                pipeline.hdel(keys.POSITIONS, str(ex_id))
        for key, written_accounts in ((keys.ACCOUNTS, balances), (keys.POSITIONS, positions)):
            if written_accounts:
                pipeline.publish(keys.changes(key), "")
        await pipeline.execute()


async def _read(redis: Redis, key: str, ex_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    if not ex_ids:
        return {}
    texts = cast("list[str | None]", await redis.hmget(key, [str(ex_id) for ex_id in ex_ids]))
    return {ex_id: _object(key, ex_id, text) for ex_id, text in zip(ex_ids, texts, strict=True)}


def _object(key: str, ex_id: int, text: str | None) -> dict[str, Any]:
    """The JSON object of one account; an unreadable one is logged and empty, so that it does not spoil the others."""
    try:
        value = orjson.loads(text or "{}")
    except ValueError as error:
        log.warning("account.unreadable", key=key, ex_id=ex_id, error=repr(error))
        return {}
    return value if isinstance(value, dict) else {}


def _balances(ex_id: int, account: Mapping[str, Any]) -> list[Balance]:
    updated_at = read_time(account.get(BALANCES_TIME))

    def balance(currency: str, held: Mapping[str, Any]) -> Balance:
        numbers = {name: _number(held, name) for name in ("total", "free", "used")}
        return Balance(ex_id, currency, **numbers, updated_at=updated_at)

    return _readable(ex_id, account, balance)


def _positions(ex_id: int, account: Mapping[str, Any]) -> list[Position]:
    def position(symbol: str, held: Mapping[str, Any]) -> Position:
        numbers = {name: _number(held, name) for name in ("volume", "cost", "price", "fee", "count")}
        return Position(ex_id, symbol, **numbers, timestamp=read_time(held.get("timestamp")))

    return _readable(ex_id, account, position)


def _readable(ex_id: int, account: Mapping[str, Any], make: Callable[[str, Mapping[str, Any]], Held]) -> list[Held]:
    """What `make` makes of the entries of an account; one that is not numbers is logged and left out, never zero."""
    made = []
    for name, held in account.items():
        if isinstance(held, dict):
            try:
                made.append(make(name, held))
            except (TypeError, ValueError) as error:
                log.warning("account.entry_unreadable", ex_id=ex_id, entry=name, error=repr(error))
    return made


def _encode_balances(balances: Iterable[Balance], written: str) -> str:
    account: dict[str, Any] = {b.currency: {"total": b.total, "free": b.free, "used": b.used} for b in balances}
    return json.dumps(account | {BALANCES_TIME: written})


def _encode_positions(positions: Iterable[Position], written: str) -> str | None:
    account: dict[str, Any] = {p.symbol: _encode_position(p) for p in positions}
    return json.dumps(account | {POSITIONS_TIME: written}) if account else None


def _encode_position(position: Position) -> dict[str, float | None]:
    return {
        "cost": position.cost,
        "volume": position.volume,
        "fee": position.fee,
        "count": position.count,
        "price": position.price,
        "timestamp": position.timestamp.timestamp() if position.timestamp else None,
    }


def _number(held: Mapping[str, Any], name: str) -> float:
    """A number of an entry; one that the platform has left out is zero."""
    number = float(held.get(name) or 0)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}")
    return number
