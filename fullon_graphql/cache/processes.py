"""The platform's register of running processes, in which its own tools see our daemons."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, cast

from redis.asyncio import Redis

from fullon_graphql.cache import keys
from fullon_graphql.cache.reading import (
    UnreadableError,
    as_data,
    execute,
    is_text,
    leave_out,
    parse_object,
    parse_text,
    parse_time,
    texts,
)

TIME_TO_LIVE: Final = 86_400
"""Seconds from the last heartbeat of a process until its data expire."""


class ProcessType(StrEnum):
    """The platform's types of processes."""

    TICK = "tick"
    OHLCV = "ohlcv"
    BOT = "bot"
    ACCOUNT = "account"
    ORDER = "order"
    BOT_STATUS_SERVICE = "bot_status_service"
    CRAWLER = "crawler"
    USER_TRADES_SERVICE = "user_trades_service"


class ProcessStatus(StrEnum):
    """The status in the report of a process."""

    STARTING = "starting"
    RUNNING = "running"
    PROCESSING = "processing"
    IDLE = "idle"
    ERROR = "error"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Process:
    """A running process of the platform, with any component, e.g. `ticker_daemon` or `kraken:BTC/USD`."""

    type: ProcessType
    component: str
    params: Mapping[str, object] = field(default_factory=dict)
    started: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        """`{type}:{component}:{unix time of the start}`."""
        return keys.process_id(self.type, self.component, self.started)


async def register(redis: Redis, processes: Sequence[Process], message: str = "") -> None:
    """Register processes as starting. Each replaces earlier ones of the same type and component."""
    predecessors = await _predecessors(redis, processes)
    async with redis.pipeline(transaction=False) as pipeline:
        for process_type, ids in predecessors.items():
            pipeline.hdel(keys.process_active(process_type), *ids)
        if processes:
            pipeline.hset(keys.PROCESS_COMPONENTS, mapping={process.component: process.id for process in processes})
        await pipeline.execute()
    await update(redis, processes, ProcessStatus.STARTING, message)


async def update(redis: Redis, processes: Sequence[Process], status: ProcessStatus, message: str = "") -> None:
    """Write the heartbeat of all `processes` in one round trip."""
    now = datetime.now(UTC).isoformat()
    async with redis.pipeline(transaction=False) as pipeline:
        for process in processes:
            pipeline.set(keys.process_data(process.id), _encode(process, status, message, now), ex=TIME_TO_LIVE)
            pipeline.hset(keys.process_active(process.type), process.id, now)
        pipeline.publish(keys.changes(keys.PROCESS_COMPONENTS), "")
        await pipeline.execute()


async def stop(
    redis: Redis, processes: Sequence[Process], status: ProcessStatus = ProcessStatus.STOPPED, message: str = ""
) -> None:
    """Remove processes from the register. Their data remain, with `status`, until they expire."""
    if not processes:
        return
    await update(redis, processes, status, message)
    registered = await redis.hmget(keys.PROCESS_COMPONENTS, [process.component for process in processes])
    async with redis.pipeline(transaction=False) as pipeline:
        for process, latest in zip(processes, registered, strict=True):
            pipeline.hdel(keys.process_active(process.type), process.id)
            if latest == process.id:  # daemons share components: another one may have registered it
                pipeline.hdel(keys.PROCESS_COMPONENTS, process.component)
        pipeline.publish(keys.changes(keys.PROCESS_COMPONENTS), "")
        await pipeline.execute()


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a process. Times are UTC."""

    id: str
    type: ProcessType
    component: str
    params: Mapping[str, Any]
    status: str | None
    message: str | None
    created_at: datetime | None
    updated_at: datetime | None
    heartbeat: datetime


async def read(redis: Redis, types: Sequence[ProcessType] = tuple(ProcessType)) -> list[Report]:
    """The running processes of these types, newest heartbeat first, in two round trips.

    Processes whose data have expired or cannot be read are left out.
    """
    async with redis.pipeline(transaction=False) as pipeline:
        for process_type in types:
            pipeline.hgetall(keys.process_active(process_type))
        answers = await execute(pipeline, "processes")
    active = [
        (type_, id_, seen) for type_, ids in zip(types, answers, strict=True) for id_, seen in texts(ids, "process")
    ]
    if not active:
        return []
    data = [keys.process_data(id_) for _, id_, _ in active]
    stored = cast("list[str | None]", await redis.mget(data))
    reports = [_parse_report(*entry, text) for entry, text in zip(active, stored, strict=True) if text is not None]
    return sorted((report for report in reports if report), key=lambda report: report.heartbeat, reverse=True)


def _parse_report(process_type: ProcessType, id_: str, seen: str, text: str) -> Report | None:
    try:
        data = as_data(parse_object(text))
    except UnreadableError as error:
        leave_out("process", error, process=id_)
        return None
    heartbeat = parse_time(data.get("heartbeat")) or parse_time(seen)
    if heartbeat is None:
        leave_out("process", "no heartbeat", process=id_)
        return None
    params = data.get("params")
    return Report(
        id=id_,
        type=process_type,
        component=parse_text(data.get("component")) or keys.process_component(id_),
        params=params if isinstance(params, dict) else {},
        status=parse_text(data.get("status")),
        message=parse_text(data.get("message")),
        created_at=parse_time(data.get("created_at")),
        updated_at=parse_time(data.get("updated_at")),
        heartbeat=heartbeat,
    )


async def _predecessors(redis: Redis, processes: Sequence[Process]) -> dict[ProcessType, list[str]]:
    """The active ids of the same type and component, by type; types without any are left out."""
    components = {(process.type, process.component) for process in processes}
    predecessors = {}
    for process_type in {process.type for process in processes}:
        active = cast("list[str]", await redis.hkeys(keys.process_active(process_type)))
        ids = [id_ for id_ in active if is_text(id_) and (process_type, keys.process_component(id_)) in components]
        if ids:
            predecessors[process_type] = ids
    return predecessors


def _encode(process: Process, status: ProcessStatus, message: str, now: str) -> str:
    return json.dumps(
        {
            "process_id": process.id,
            "process_type": process.type,
            "component": process.component,
            "params": dict(process.params),
            "status": status,
            "message": message,
            "created_at": datetime.fromtimestamp(process.started, UTC).isoformat(),
            "updated_at": now,
            "heartbeat": now,
        }
    )
