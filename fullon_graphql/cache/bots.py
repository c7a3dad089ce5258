"""What bots leave in Redis: what they say about themselves, and which instruments they keep to themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import read_key, read_number, read_object, read_text, read_time

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """What a bot last said about one of its feeds. `data` is all of it; the rest is what bots usually say, or None."""

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
    """A bot keeps an instrument of an account to itself; `since` (UTC) is noted only while it opens a position."""

    ex_id: int
    symbol: str
    bot_id: int
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """All claims there are: `blocks` keep other bots away, `openings` say that a position is just being opened."""

    blocks: Sequence[Claim]
    openings: Sequence[Claim]


async def read_statuses(redis: Redis, bot_ids: Sequence[int]) -> list[list[FeedStatus]]:
    """What each bot says, by feed number, in one round trip. A bot that says nothing readable has an empty list."""
    if not bot_ids:
        return []
    texts = cast("list[str | None]", await redis.hmget(keys.BOT_STATUS, [str(bot_id) for bot_id in bot_ids]))
    return [_statuses(bot_id, text) for bot_id, text in zip(bot_ids, texts, strict=True)]


async def read_claims(redis: Redis) -> Claims:
    """The blocked instruments and the positions that are being opened, by account and symbol, in one round trip."""
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(keys.BLOCKED_EXCHANGES)
        pipeline.hgetall(keys.OPENING_POSITIONS)
        blocks, openings = await pipeline.execute()
    return Claims(_claims(blocks), _claims(openings))


def _statuses(bot_id: int, text: str | None) -> list[FeedStatus]:
    try:
        feeds = read_object(text)
    except ValueError as error:
        log.warning("bot_status.unreadable", bot_id=bot_id, error=repr(error))
        return []
    found = (_status(bot_id, read_key(name), data) for name, data in feeds.items() if isinstance(data, dict))
    return sorted(found, key=lambda status: (status.feed_num is None, status.feed_num or 0))


def _status(bot_id: int, feed_num: int | None, data: dict[str, Any]) -> FeedStatus:
    symbols = data.get("symbol") or data.get("symbols")
    return FeedStatus(
        bot_id=bot_id,
        data=data,
        feed_num=feed_num,
        status=read_text(data.get("status")),
        symbol=read_text(symbols[0] if symbols and isinstance(symbols, list) else symbols),
        period=read_text(data.get("period")),
        performance=read_number(data.get("performance", data.get("pnl"))),
        timestamp=read_time(data.get("timestamp")),
    )


def _claims(stored: Mapping[str, str]) -> list[Claim]:
    return sorted(_readable(stored.items()), key=lambda claim: (claim.ex_id, claim.symbol))


def _readable(stored: Iterable[tuple[str, str]]) -> Iterator[Claim]:
    for field, value in stored:
        account, _, symbol = field.partition(":")
        bot, _, since = value.partition(":")
        ex_id, bot_id = read_key(account), read_key(bot)
        if ex_id is None or bot_id is None:
            log.warning("claim.unreadable", field=field, value=value)
        else:
            yield Claim(ex_id, symbol, bot_id, read_time(since))
