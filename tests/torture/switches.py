"""Dead-man's switches under faults: each lost session halts trading once and in time, and one that stays never does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final

import asyncpg
from httpx import HTTPError
from websockets.exceptions import WebSocketException

from fullon_graphql.services.halt_switches import PERIOD
from tests.fixtures.rows import OTHER
from tests.torture.clients import StreamClient
from tests.torture.deployment import Deployment
from tests.torture.transports import Refused, graph_transports

LOST_SECONDS: Final = (5, 8, 11)
"""The times of lost sessions, which pass while faults are injected."""
STAYING_SECONDS: Final = 120
"""The time of sessions that stay: longer than any fault keeps them away, also on a busy machine."""
SLACK: Final = PERIOD + 40
"""Seconds by which a switch may fire late: PostgreSQL or all processes were away, on a busy machine, and have started."""

_ARM: Final = """subscription ($seconds: Int!, $switchId: ID) {
  haltOnDisconnect(afterSeconds: $seconds, switchId: $switchId) { switchId state expiresAt }
}"""
_SWITCHES: Final = """
    SELECT switch_id::text AS id, state, extract(epoch FROM ended_at - expires_at)::float8 AS late,
        extract(epoch FROM clock_timestamp() - expires_at)::float8 AS overdue,
        extract(epoch FROM expires_at - armed_at)::float8 - after_seconds AS moved,
        (SELECT count(*) FROM fullon_graphql.audit_log AS entry
         WHERE entry.credential = 'switch:' || switch_id AND entry.entity = 'TradingHalt') AS halts
    FROM fullon_graphql.halt_switches
"""


class StayingSession(StreamClient):
    """A session that takes its switch over after every loss of its connection."""

    def record(self, response: Mapping[str, Any]) -> None:
        if not response.get("data") or "errors" in response:
            self.failures.append(f"{self.name}: no switch in {response}")
            return
        [switch] = response["data"].values()
        self.variables["switchId"] = switch["switchId"]
        if switch["state"] != "ARMED":
            self.failures.append(f"{self.name}: {switch}, although the session stays")


def staying_sessions(deployment: Deployment) -> list[StayingSession]:
    """One session on each transport."""
    return [
        StayingSession(
            "staying session",
            transport,
            open_stream,
            deployment.url,
            deployment.tokens[OTHER],
            {"seconds": STAYING_SECONDS},
        )
        for transport, open_stream in graph_transports(_ARM).items()
    ]


async def lose_sessions(deployment: Deployment) -> None:
    """Sessions that arm a switch and disappear, one on each transport; none if the server does not answer."""
    for seconds, open_stream in zip(LOST_SECONDS, graph_transports(_ARM).values(), strict=True):
        with suppress(Refused, OSError, HTTPError, WebSocketException):
            stream = open_stream(deployment.url, deployment.tokens[OTHER], {"seconds": seconds})
            async with asyncio.timeout(60), aclosing(stream) as responses:
                async for _ in responses:
                    break


async def read_switches(deployment: Deployment) -> list[dict[str, Any]]:
    """All switches. `late` is their end and `overdue` the present, in seconds after the deadline; `moved` is the deadline,
    in seconds after the first one."""
    connection = await asyncpg.connect(deployment.settings.database_url, timeout=60)
    try:
        return [dict(switch) for switch in await connection.fetch(_SWITCHES)]
    finally:
        await connection.close()


def are_settled(switches: Sequence[Mapping[str, Any]], staying: Sequence[StayingSession]) -> bool:
    """True if every switch of a lost session has fired, or should have."""
    kept = _kept(staying)
    return all(each["id"] in kept or each["state"] != "ARMED" or each["overdue"] > SLACK for each in switches)


def switch_failures(switches: Sequence[Mapping[str, Any]], staying: Sequence[StayingSession]) -> list[str]:
    """The switches that have not done what they must."""
    kept, failures = _kept(staying), []
    if len(switches) < len(kept) + len(LOST_SECONDS):
        failures.append(f"only {len(switches)} switches were armed")
    for switch in switches:
        if switch["id"] in kept:
            if switch["state"] != "ARMED" or switch["halts"]:
                failures.append(f"a session that stays has halted trading: {switch}")
            elif switch["moved"] < 1:
                failures.append(f"a session has come back, and its deadline was not moved: {switch}")
        elif switch["state"] != "FIRED" or switch["halts"] != 1:
            failures.append(f"a lost session has not halted trading once: {switch}")
        elif not 0 <= switch["late"] <= SLACK:
            failures.append(f"trading was halted {switch['late']:.1f} s after the deadline, not within {SLACK:g} s")
    return failures


def _kept(staying: Sequence[StayingSession]) -> set[str | None]:
    """The switches of sessions that stay."""
    return {session.variables.get("switchId") for session in staying}
