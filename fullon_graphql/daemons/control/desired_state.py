"""The desired state of services and the reports about them, in Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.daemons.control.state import (
    DesiredState,
    Holder,
    Observation,
    Progress,
    Report,
    ServiceName,
    ServiceState,
    observe,
)

# Setting the present state again changes nothing, unless the caller names the current generation (ARGV[2]): of several
# callers that retry a failed service at once, one creates the next generation and the others wait for the same one.
_SET = """
local generation = redis.call('HGET', KEYS[1], 'generation')
if redis.call('HGET', KEYS[1], 'running') == ARGV[1] and generation ~= ARGV[2] then return tonumber(generation) end
redis.call('HSET', KEYS[1], 'running', ARGV[1])
generation = redis.call('HINCRBY', KEYS[1], 'generation', 1)
redis.call('PUBLISH', KEYS[2], 'desired')
return generation
"""
_SET_DEFAULT = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'running', '1', 'generation', '1')
redis.call('PUBLISH', KEYS[2], 'desired')
return 1
"""
# One script, so that all values are of the same moment. Redis refuses a transaction once its memory is exhausted.
_OBSERVE = """
return {redis.call('HGETALL', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('HGETALL', KEYS[3])}
"""


class StateStore:
    """Reads and sets the desired state of services, and reads the reports about them."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def desired(self, name: ServiceName) -> DesiredState:
        """The desired state of a service; not running by default."""
        return _parse_desired(cast("dict[str, str]", await self._redis.hgetall(keys.service_desired(name))))

    async def set_running(self, name: ServiceName, *, running: bool, supersedes: int | None = None) -> int:
        """Set the desired state of a service, and return its generation.

        An equal state changes nothing, unless `supersedes` is the current generation.
        """
        generation = await self._redis.eval(
            _SET,
            2,
            keys.service_desired(name),
            keys.service_changes(name),
            "1" if running else "0",
            "" if supersedes is None else str(supersedes),
        )
        return int(generation)

    async def set_running_by_default(self, name: ServiceName) -> None:
        """Let a service run if its desired state has never been set."""
        await self._redis.eval(_SET_DEFAULT, 2, keys.service_desired(name), keys.service_changes(name))

    async def observe(self, names: Sequence[ServiceName]) -> list[Observation]:
        """Observe services in one round trip."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.eval(
                    _OBSERVE, 3, keys.service_desired(name), keys.service_lease(name), keys.service_report(name)
                )
            answers = await pipeline.execute()
        return [
            observe(name, _parse_desired(_as_dict(desired)), _parse_holder(lease), _parse_report(_as_dict(report)))
            for name, (desired, lease, report) in zip(names, answers, strict=True)
        ]


def _as_dict(flat: Sequence[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _parse_desired(fields: Mapping[str, str]) -> DesiredState:
    return DesiredState(fields["running"] == "1", int(fields["generation"])) if fields else DesiredState()


def _parse_holder(token: str | None) -> Holder | None:
    if token is None:
        return None
    fence, _, runner = token.partition(":")
    return Holder(int(fence), runner)


def _parse_report(fields: Mapping[str, str]) -> Report | None:
    if "fence" not in fields:  # a heartbeat may come before the first report
        return None
    return Report(
        fence=int(fields["fence"]),
        state=ServiceState(fields["state"]),
        generation=int(fields["generation"]),
        started_at=_parse_time(fields["started_at"]),
        heartbeat_at=_parse_time(fields["heartbeat_at"]),
        error=fields["error"] or None,
        progress=_parse_progress(fields.get("done"), fields.get("of")),
    )


def _parse_progress(done: str | None, of: str | None) -> Progress | None:
    return Progress(int(done), int(of)) if done and of else None


def _parse_time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
