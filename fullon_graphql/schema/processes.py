"""Running processes of the platform."""

from __future__ import annotations

from typing import Any, cast

import strawberry
from strawberry.scalars import JSON

from fullon_graphql.cache.processes import ProcessType, Report
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services import processes

described(
    ProcessType,
    "The kinds of process the platform has.",
    {
        ProcessType.TICK: "Collects tickers.",
        ProcessType.OHLCV: "Collects candles and public trades.",
        ProcessType.BOT: "Runs a bot.",
        ProcessType.ACCOUNT: "Watches exchange accounts.",
        ProcessType.ORDER: "Places and follows orders.",
        ProcessType.BOT_STATUS_SERVICE: "Collects what bots say about themselves.",
        ProcessType.CRAWLER: "Reads sources outside the exchanges.",
        ProcessType.USER_TRADES_SERVICE: "Collects people's own trades.",
    },
)


@strawberry.type(description="A running part of the platform, as it describes itself.")
class Process:
    process_id: str = strawberry.field(description="`type:component:unix time of the start`.")
    type: ProcessType = strawberry.field(description="Its kind.")
    component: str = strawberry.field(description="What it takes care of, e.g. `ticker_daemon` or `kraken:BTC/USD`.")
    params: JSON = strawberry.field(description="What it was started with.")
    status: str | None = strawberry.field(
        description="`starting`, `running`, `processing`, `idle`, `error` or `stopped`; null where it says nothing."
    )
    message: str | None = strawberry.field(description="What it last said about what it does.")
    created_at: DateTime | None = strawberry.field(description="When it was started.")
    updated_at: DateTime | None = strawberry.field(description="When it last changed what it says.")
    heartbeat_at: DateTime = strawberry.field(description="Its last sign of life.")
    is_stale: bool = strawberry.field(description="True where that is more than ten minutes ago: it may hang.")

    @classmethod
    def of(cls, report: Report) -> Process:
        """The GraphQL object of a report."""
        return cls(
            process_id=report.id,
            type=report.type,
            component=report.component,
            params=cast("Any", report.params),
            status=report.status,
            message=report.message,
            created_at=DateTime(report.created_at) if report.created_at else None,
            updated_at=DateTime(report.updated_at) if report.updated_at else None,
            heartbeat_at=DateTime(report.heartbeat),
            is_stale=processes.is_stale(report),
        )


@strawberry.type(description="How many processes there are of one kind or status.")
class Tally:
    name: str = strawberry.field(description="The kind or status.")
    count: int = strawberry.field(description="How many there are.")


@strawberry.type(description="How the platform's processes of the last hour are, taken together.")
class SystemHealth:
    healthy: bool = strawberry.field(description="True where nothing hangs and nothing reports an error.")
    total_processes: int = strawberry.field(description="All processes that gave a sign of life.")
    stale_processes: int = strawberry.field(description="Those whose last one is more than ten minutes ago.")
    error_processes: int = strawberry.field(description="Those that report an error.")
    by_type: list[Tally] = strawberry.field(description="How many there are of each kind, by name.")
    by_status: list[Tally] = strawberry.field(description="How many have each status, by name.")

    @classmethod
    def of(cls, health: processes.Health) -> SystemHealth:
        """The GraphQL object of the numbers."""
        return cls(
            healthy=health.healthy,
            total_processes=health.total,
            stale_processes=health.stale,
            error_processes=health.failing,
            by_type=[Tally(name=name, count=count) for name, count in sorted(health.by_type.items())],
            by_status=[Tally(name=name, count=count) for name, count in sorted(health.by_status.items())],
        )
