"""The relay: one elected worker reads the change feed and publishes its batches to a Redis stream for the others.

The election saves work and nothing depends on it. A batch names the positions it lies between, so a worker applies it
only if it continues what the worker has seen, and reads the table otherwise. Two leaders at once, or none, therefore
lose no change and double none. While Redis does not answer, every worker reads the table.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import uuid4

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from fullon_graphql.cache import keys
from fullon_graphql.services.change_feed.table import Batch, Change, ChangeKind, Position

log = structlog.get_logger(__name__)

LEASE_SECONDS: Final = 1.5
HEARTBEAT_SECONDS: Final = 0.3
"""The leader renews its lease and publishes at least this often."""
SILENCE_SECONDS: Final = 0.8
"""A follower that receives nothing for so long reads the table, and takes over if the lease has expired."""
TIMEOUT_SECONDS: Final = 1.5
"""Limit of each exchange with Redis, longer than `SILENCE_SECONDS`."""
RETRY_SECONDS: Final = 1.0
"""Pause after an error of Redis, in which the worker reads the table by itself."""
STREAM_LENGTH: Final = 256
MESSAGE_BYTES: Final = 64_000
"""The stream has at most about 256 messages of 64 kB. A larger batch is announced without its changes."""
STREAM_SECONDS: Final = 60
"""The stream is deleted once nothing has been published for so long."""

_ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_PUBLISH = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'batch', ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""
_RESIGN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'resigned', '')
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""


class Relay:
    """The role of one worker in the relay: leader, follower, or alone."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._token = uuid4().hex
        self._last_id: str | None = None
        self._published: Position | None = None
        self._published_at = 0.0
        self._retry_at = 0.0
        self.is_leader = False

    async def campaign(self) -> None:
        """Become the leader if there is none. Before it follows another, a worker notes the end of the stream."""
        self.is_leader = False
        self._published = None
        milliseconds = str(round(LEASE_SECONDS * 1000))
        acquired = self._redis.eval(_ACQUIRE, 1, keys.CHANGE_FEED_LEASE, self._token, milliseconds)
        if await self._attempt(acquired):
            self.is_leader = True
        elif self._is_available:
            newest = await self._attempt(self._redis.xrevrange(keys.CHANGE_FEED, count=1))
            self._last_id = newest[0][0] if newest else None

    async def publish(self, batch: Batch) -> None:
        """Publish a batch, as the leader. An empty one is only published as a heartbeat."""
        now = _now()
        if not batch.changes and now < self._published_at + HEARTBEAT_SECONDS:
            return
        after = self._published if self._published is not None else batch.after
        message = _encode(Batch(after, batch.upto, batch.changes))
        accepted = await self._attempt(
            self._redis.eval(
                _PUBLISH, 2, keys.CHANGE_FEED_LEASE, keys.CHANGE_FEED,
                self._token, str(round(LEASE_SECONDS * 1000)), str(STREAM_LENGTH), str(STREAM_SECONDS), message,
            )
        )  # fmt: skip
        if accepted:
            self._published, self._published_at = batch.upto, now
        else:
            await self.campaign()

    async def receive(self) -> Batch | None:
        """The next batch, as a follower; None if the table must be read instead.

        That is the case if the leader is silent or has resigned, if Redis does not answer, and for a batch without
        its changes.
        """
        if not self._is_available:
            return None
        block = round(SILENCE_SECONDS * 1000)
        found = await self._attempt(self._redis.xread({keys.CHANGE_FEED: self._last_id or "$"}, count=1, block=block))
        if not found:
            await self.campaign()
            return None
        [(_stream, [(self._last_id, fields)])] = found
        if "resigned" in fields:
            await self.campaign()
        return _decode(fields.get("batch"))

    @property
    def is_alone(self) -> bool:
        """True while the worker neither leads nor follows, because Redis does not answer."""
        return not self.is_leader and not self._is_available

    async def retry(self) -> None:
        """Campaign again once the pause after an error is over."""
        if _now() >= self._retry_at:
            self._retry_at = 0.0
            await self.campaign()

    async def resign(self) -> None:
        """Release the lease, so that another worker becomes the leader at once."""
        if self.is_leader:
            self.is_leader = False
            await self._attempt(
                self._redis.eval(
                    _RESIGN, 2, keys.CHANGE_FEED_LEASE, keys.CHANGE_FEED,
                    self._token, "", str(STREAM_LENGTH), str(STREAM_SECONDS),
                )
            )  # fmt: skip

    @property
    def _is_available(self) -> bool:
        return not self._retry_at

    async def _attempt(self, command: Any) -> Any:
        """The reply to a command, whose type redis-py leaves open; None if Redis does not answer."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await command
        except (RedisError, OSError, TimeoutError) as error:
            if self._is_available:
                log.warning("changes.relay_unavailable", error=repr(error))
            self._retry_at = _now() + RETRY_SECONDS
            self.is_leader = False
            return None


def _encode(batch: Batch) -> str:
    changes = [[*c.position, c.entity, c.kind, c.key, c.uid, c.bot_id, c.at] for c in batch.changes]
    limits = [*batch.after], [*batch.upto]
    encoded = orjson.dumps([*limits, changes])
    if len(encoded) > MESSAGE_BYTES:
        encoded = orjson.dumps([*limits, None])
    return encoded.decode()


def _decode(message: Any) -> Batch | None:
    """The batch of a message; None for one without changes, and for one that cannot be read."""
    try:
        after, upto, changes = orjson.loads(message)
        if changes is None:
            return None
        return Batch(
            Position(*after),
            Position(*upto),
            [Change(Position(xid, seq), entity, ChangeKind(kind), *rest) for xid, seq, entity, kind, *rest in changes],
        )
    except (ValueError, TypeError):
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()
