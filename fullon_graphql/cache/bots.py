"""The values that bots write to Redis: their status, and the instruments they claim for themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import (
    UnreadableError,
    as_data,
    execute,
    leave_out,
    parse_key,
    parse_number,
    parse_object,
    parse_text,
    parse_time,
    texts,
)


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """The status of a bot in one of its feeds. `data` is the whole object; the other fields are its usual values."""

    bot_id: int
    data: Mapping[str, Any]
    feed_num: int | None
    status: str | None
    symbol: str | None
    period: str | None
    performance: float | None
    timestamp: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A bot's claim of an instrument of an account; `since` (UTC) is known only while it opens a position."""

    ex_id: int
    symbol: str
    bot_id: int
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims: `blocks` exclude other bots, `openings` are positions that are being opened."""

    blocks: Sequence[Claim]
    openings: Sequence[Claim]


async def read_statuses(redis: Redis, bot_ids: Sequence[int]) -> list[list[FeedStatus]]:
    """The statuses of each bot, by feed number, in one round trip; empty for a bot without a readable status."""
    if not bot_ids:
        return []
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hmget(keys.BOT_STATUS, [str(bot_id) for bot_id in bot_ids])
        [stored] = await execute(pipeline, "bots", by_field=True)
    return [_statuses(bot_id, text) for bot_id, text in zip(bot_ids, stored or [None] * len(bot_ids), strict=True)]


async def read_claims(redis: Redis) -> Claims:
    """The claims of all bots, by account and symbol, in one round trip."""
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.BLOCKED_EXCHANGES)
        pipeline.hgetall(keys.OPENING_POSITIONS)
        blocks, openings = await execute(pipeline, "bots")
    return Claims(_claims(blocks), _claims(openings))


# Blocks of bots are left alone: they exclude all other bots already.
_BLOCK_FOR_HALTS = """
local wanted = {}
for place = 2, #ARGV do
    wanted[ARGV[place]] = true
    redis.call('HSETNX', KEYS[1], ARGV[place], ARGV[1])
end
local stored = redis.call('HGETALL', KEYS[1])
for place = 1, #stored, 2 do
    if stored[place + 1] == ARGV[1] and not wanted[stored[place]] then redis.call('HDEL', KEYS[1], stored[place]) end
end
"""


async def block_for_halts(redis: Redis, instruments: Iterable[tuple[int, str]]) -> None:
    """Let halts block exactly these instruments, each an account and a symbol. Blocks of bots stay as they are."""
    fields = [f"{ex_id}:{symbol}" for ex_id, symbol in instruments]
    await redis.eval(_BLOCK_FOR_HALTS, 1, keys.BLOCKED_EXCHANGES, keys.NO_BOT, *fields)


def _statuses(bot_id: int, text: str | None) -> list[FeedStatus]:
    try:
        feeds = as_data(parse_object(text))
    except UnreadableError as error:
        leave_out("bot_status", error, bot_id=bot_id)
        return []
    found = (_status(bot_id, parse_key(name), data) for name, data in feeds.items() if isinstance(data, dict))
    return sorted(found, key=lambda status: (status.feed_num is None, status.feed_num or 0))


def _status(bot_id: int, feed_num: int | None, data: dict[str, Any]) -> FeedStatus:
    symbols = data.get("symbol") or data.get("symbols")
    return FeedStatus(
        bot_id=bot_id,
        data=data,
        feed_num=feed_num,
        status=parse_text(data.get("status")),
        symbol=parse_text(symbols[0] if symbols and isinstance(symbols, list) else symbols),
        period=parse_text(data.get("period")),
        performance=parse_number(data.get("performance", data.get("pnl"))),
        timestamp=parse_time(data.get("timestamp")),
    )


def _claims(stored: Mapping[str, str] | None) -> list[Claim]:
    return sorted(_parse_claims(stored), key=lambda claim: (claim.ex_id, claim.symbol))


def _parse_claims(stored: Mapping[str, str] | None) -> Iterator[Claim]:
    for field, value in texts(stored, "claim"):
        account, _, symbol = field.partition(":")
        bot, _, since = value.partition(":")
        ex_id, bot_id = parse_key(account), parse_key(bot)
        if ex_id is None or bot_id is None:
            leave_out("claim", "no account or no bot", field=field, value=value)
        else:
            yield Claim(ex_id, symbol, bot_id, parse_time(since))
