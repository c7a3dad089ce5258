"""Live balances and positions of exchange accounts, in the platform's layout."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import (
    UnreadableError,
    execute,
    is_text,
    leave_out,
    parse_number,
    parse_object,
    parse_time,
)

Entry = TypeVar("Entry", "Balance", "Position")

BALANCES_TIME = "date"
POSITIONS_TIME = "timestamp"
"""The key of the last write's time, which is stored among the currencies (symbols) of an account."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of an account in one currency. `updated_at` is the last write of the account (UTC)."""

    ex_id: int
    currency: str
    total: float
    free: float
    used: float
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A position of an account: `volume` in base currency, negative for a short; `cost` in quote currency."""

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
        """`long`, `short`, or None for an empty position; the platform stores the sign of the volume only."""
        if self.volume == 0:
            return None
        return "long" if self.volume > 0 else "short"


async def read_balances(redis: Redis, ex_ids: Sequence[int]) -> dict[int, list[Balance]]:
    """The balances of many accounts in one round trip; empty for an account that was never written."""
    accounts = await _read(redis, keys.ACCOUNTS, ex_ids)
    return {ex_id: _balances(ex_id, account) for ex_id, account in accounts.items()}


async def read_positions(redis: Redis, ex_ids: Sequence[int]) -> dict[int, list[Position]]:
    """The positions of many accounts in one round trip; empty for an account that was never written."""
    accounts = await _read(redis, keys.POSITIONS, ex_ids)
    return {ex_id: _positions(ex_id, account) for ex_id, account in accounts.items()}


async def write(
    redis: Redis,
    balances: Mapping[int, Iterable[Balance]],
    positions: Mapping[int, Iterable[Position]],
    now: datetime | None = None,
) -> None:
    """Replace the balances and positions of these accounts, and announce it, in one round trip.

    The field of an account without positions is deleted.
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
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hmget(key, [str(ex_id) for ex_id in ex_ids])
        [stored] = await execute(pipeline, "accounts", by_field=True)
    texts = stored or [None] * len(ex_ids)
    return {ex_id: _parse_account(key, ex_id, text) for ex_id, text in zip(ex_ids, texts, strict=True)}


def _parse_account(key: str, ex_id: int, text: str | None) -> dict[str, Any]:
    try:
        return parse_object(text)
    except UnreadableError as error:
        leave_out("account", error, key=key, ex_id=ex_id)
        return {}


def _balances(ex_id: int, account: Mapping[str, Any]) -> list[Balance]:
    updated_at = parse_time(account.get(BALANCES_TIME))

    def balance(currency: str, values: Mapping[str, Any]) -> Balance:
        numbers = {name: _number(values, name) for name in ("total", "free", "used")}
        return Balance(ex_id, currency, **numbers, updated_at=updated_at)

    return _entries(ex_id, account, balance)


def _positions(ex_id: int, account: Mapping[str, Any]) -> list[Position]:
    def position(symbol: str, values: Mapping[str, Any]) -> Position:
        numbers = {name: _number(values, name) for name in ("volume", "cost", "price", "fee", "count")}
        return Position(ex_id, symbol, **numbers, timestamp=parse_time(values.get("timestamp")))

    return _entries(ex_id, account, position)


def _entries(ex_id: int, account: Mapping[str, Any], parse: Callable[[str, Mapping[str, Any]], Entry]) -> list[Entry]:
    """The parsed entries of an account. One with a broken number is left out, since its values would be wrong."""
    entries = []
    for name, values in account.items():
        if not isinstance(values, dict):
            continue
        try:
            if not is_text(name):
                raise UnreadableError("not UTF-8")
            entries.append(parse(name, values))
        except UnreadableError as error:
            leave_out("account_entry", error, ex_id=ex_id, entry=name)
    return entries


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


def _number(values: Mapping[str, Any], name: str) -> float:
    """A number of an entry; 0 if it is absent or null.

    Raises:
        UnreadableError: it is not a finite number.
    """
    value = values.get(name)
    number = parse_number(0 if value is None else value)
    if number is None:
        raise UnreadableError(f"`{name}` is not a finite number")
    return number
