"""Running processes of the platform, for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fullon_graphql.auth.principal import administrator
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    given,
    when_changed,
)

_HEALTH = """{ systemHealth {
  healthy totalProcesses staleProcesses errorProcesses byType { name count } byStatus { name count }
} }"""
_ACTIVE = """query ($type: ProcessType, $component: String, $minutes: Int) {
  processes(type: $type, component: $component, sinceMinutes: $minutes) {
    processId component status params heartbeatAt
  }
}"""
_LIVE = "subscription { processes { processId } }"


async def get_system_health(asking: GraphClient, _params: Params) -> Result:
    health = (await asking.data(_HEALTH))["systemHealth"]
    return {
        "healthy": health["healthy"],
        "total_processes": health["totalProcesses"],
        "by_type": {tally["name"]: tally["count"] for tally in health["byType"]},
        "by_status": {tally["name"]: tally["count"] for tally in health["byStatus"]},
        "stale_processes": health["staleProcesses"],
        "error_processes": health["errorProcesses"],
    }


async def get_active_processes(asking: GraphClient, params: Params) -> Result:
    """Those heard of within `since_minutes`, 5 unless it says otherwise, newest first."""
    wanted = given(params, "component") | {"minutes": params.get("since_minutes", 5)}
    if params.get("process_type") is not None:
        wanted["type"] = str(params["process_type"]).upper()
    processes = (await asking.data(_ACTIVE, **wanted))["processes"]
    return {"processes": [_worded(process) for process in processes]}


async def stream_process_health(asking: GraphClient, _params: Params) -> Sequence[Source]:
    """How many processes there are, at once and when that changes."""
    administrator(asking.context.caller)
    count = when_changed(lambda number: {"active_processes": number, "timestamp": datetime.now(UTC).isoformat()})
    return [Source(asking.events(_LIVE), lambda data: count(data["processes"]))]


def _worded(process: Result) -> Result:
    return {
        "process_id": process["processId"],
        "name": process["component"],
        "status": process["status"],
        "pid": process["params"].get("pid"),
        "last_seen": process["heartbeatAt"],
    }


READS = {"get_system_health": Read(get_system_health), "get_active_processes": Read(get_active_processes)}
STREAMS = {"stream_process_health": Stream(stream_process_health, "process_health_update")}
