"""Running processes of the platform, for administrators: all of them now, and whenever one gives a sign of life."""

from __future__ import annotations

from collections.abc import Callable

import strawberry

from fullon_graphql.auth.principal import administrator
from fullon_graphql.cache.processes import Report
from fullon_graphql.context import Context
from fullon_graphql.schema.processes import Process
from fullon_graphql.streaming.pace import MaxRate, pause_of
from fullon_graphql.streaming.sources import streamed
from fullon_graphql.streaming.states import States


def _processes(context: Context, max_rate: MaxRate = None) -> States[None, list[Report], list[Process]]:
    async def allowed() -> Callable[[list[Report]], list[Process]]:
        administrator(context.caller)
        return lambda reports: list(map(Process.from_record, reports))

    return States(context.worker.watches.processes, None, allowed, pause_of(max_rate))


@strawberry.type
class ProcessSubscriptions:
    processes: list[Process] = streamed(
        "The running processes of the platform, newest sign of life first, at once and then all of them whenever one"
        " gives a sign of life. Administrators only.",
        _processes,
    )
