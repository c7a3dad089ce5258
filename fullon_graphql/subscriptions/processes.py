"""Running processes of the platform, for administrators: the current list, then the list at each heartbeat."""

from __future__ import annotations

from collections.abc import Callable

import strawberry

from fullon_graphql.auth.principal import administrator
from fullon_graphql.cache.processes import Report
from fullon_graphql.context import Context
from fullon_graphql.schema.processes import Process
from fullon_graphql.streaming.sources import MaxRate, frame_interval, streamed
from fullon_graphql.streaming.watches import WatchedSource


def _processes(context: Context, max_rate: MaxRate = None) -> WatchedSource[None, list[Report], list[Process]]:
    async def authorize() -> Callable[[list[Report]], list[Process]]:
        administrator(context.caller)
        return lambda reports: list(map(Process.from_record, reports))

    return WatchedSource(context.worker.watches.processes, None, authorize, frame_interval(max_rate))


@strawberry.type
class ProcessSubscriptions:
    processes: list[Process] = streamed(
        "The running processes of the platform, newest heartbeat first: the current list, then all of it at each"
        " heartbeat. Administrators only.",
        _processes,
    )
