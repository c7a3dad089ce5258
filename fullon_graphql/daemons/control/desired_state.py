"""The notice board in Redis where orders are pinned and the state of services is read, by any worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.daemons.control.state import Holder, Observation, Order, Report, ServiceName, ServiceState, conclude

# An order that says what the last one said changes nothing, unless it repeats exactly the order it names (ARGV[2]):
# of several who all want to try a failed service again, one gets through and the others join it.
_ORDER = """
local number = redis.call('HGET', KEYS[1], 'number')
if redis.call('HGET', KEYS[1], 'running') == ARGV[1] and number ~= ARGV[2] then return tonumber(number) end
redis.call('HSET', KEYS[1], 'running', ARGV[1])
number = redis.call('HINCRBY', KEYS[1], 'number', 1)
redis.call('PUBLISH', KEYS[2], 'order')
return number
"""
_SUGGEST = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'running', '1', 'number', '1')
redis.call('PUBLISH', KEYS[2], 'order')
return 1
"""


class DesiredState:
    """Orders and reports of all services."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def order(self, name: ServiceName) -> Order:
        """What was last ordered; not running where nobody has ordered anything yet."""
        return _order(cast("dict[str, str]", await self._redis.hgetall(keys.service_order(name))))

    async def give_order(self, name: ServiceName, *, running: bool, repeat: int | None = None) -> int:
        """Order a service to run or not; the number of the order that now stands.

        An order that says what the standing one says changes nothing, unless `repeat` is the number of that one.
        """
        number = await self._redis.eval(
            _ORDER,
            2,
            keys.service_order(name),
            keys.service_changes(name),
            "1" if running else "0",
            "" if repeat is None else str(repeat),
        )
        return int(number)

    async def suggest_running(self, name: ServiceName) -> None:
        """Order a service to run where nobody has ever ordered anything of it."""
        await self._redis.eval(_SUGGEST, 2, keys.service_order(name), keys.service_changes(name))

    async def look(self, names: Sequence[ServiceName]) -> list[Observation]:
        """What is to be seen of each service, in one round trip."""
        async with self._redis.pipeline(transaction=True) as pipeline:  # order, lease and report of one moment
            for name in names:
                pipeline.hgetall(keys.service_order(name))
                pipeline.get(keys.service_lease(name))
                pipeline.hgetall(keys.service_report(name))
            answers = iter(await pipeline.execute())
        return [
            conclude(name, _order(order), _holder(lease), _report(report))
            for name, order, lease, report in zip(names, answers, answers, answers, strict=True)
        ]


def _order(fields: Mapping[str, str]) -> Order:
    return Order(fields["running"] == "1", int(fields["number"])) if fields else Order()


def _holder(token: str | None) -> Holder | None:
    if token is None:
        return None
    fence, _, worker = token.partition(":")
    return Holder(int(fence), worker)


def _report(fields: Mapping[str, str]) -> Report | None:
    if "fence" not in fields:  # a heartbeat may come before the first report
        return None
    return Report(
        fence=int(fields["fence"]),
        state=ServiceState(fields["state"]),
        number=int(fields["number"]),
        started_at=_time(fields["started_at"]),
        heartbeat_at=_time(fields["heartbeat_at"]),
        error=fields["error"] or None,
    )


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
