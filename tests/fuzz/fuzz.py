"""All kinds of hostile input, for a given time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from itertools import cycle
from random import Random
from typing import Final

from pydantic import SecretStr

from fullon_graphql.config import Settings
from tests.fixtures.harness import Harness, Stores
from tests.fixtures.server import running
from tests.fuzz.harness import Findings, Kind, fuzz
from tests.fuzz.kinds import csv_files, graphql_sockets, http_requests, operations, platform_sockets, redis_values, rows
from tests.fuzz.world import opened

KINDS: Final[tuple[Kind, ...]] = (
    operations.KIND,
    graphql_sockets.KIND,
    platform_sockets.KIND,
    redis_values.KIND,
    csv_files.KIND,
    rows.KIND,
    http_requests.KIND,
)
ROUND: Final = 100
"""Cases of one kind that are drawn with one seed."""


async def fuzz_for(
    seconds: float, seed: int, kinds: tuple[Kind, ...] = KINDS, report: Callable[[str], None] = print
) -> Findings:
    """Play cases of all kinds in turn until the time is over, on stores and a server of its own.

    A kind in which a fault was found is not played again.
    """
    findings, random, end = Findings(), Random(seed), time.monotonic() + seconds
    harness = Harness()
    try:
        settings = _settings(await asyncio.to_thread(harness.stores, "fuzz"))
        command = running(_environment(settings), "/health/ready", "--no-services", module="tests.fuzz.observed_server")
        async with command as server, opened(server, settings) as world:
            end = time.monotonic() + seconds
            for kind in cycle(kinds):
                if time.monotonic() > end or len(findings.faults) == len(kinds):
                    break
                if kind.name not in findings.faults:
                    await fuzz(world, kind, ROUND, findings, random.getrandbits(32))
                    report(f"{findings.played.total():7} cases, {kind.name}")
    finally:
        await asyncio.to_thread(harness.close)
    return findings


def _settings(stores: Stores) -> Settings:
    return Settings(
        database_url=stores.database_url,
        ohlcv_database_url=stores.ohlcv_database_url,
        redis_url=stores.redis_url,
        jwt_secret_key=SecretStr("a secret of the fuzzing, long enough for HS256"),
        db_pool_size=5,
    )


def _environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "DATABASE_URL": settings.database_url,
        "OHLCV_DATABASE_URL": settings.ohlcv_database_url,
        "REDIS_URL": settings.redis_url,
        "JWT_SECRET_KEY": settings.jwt_secret_key.get_secret_value(),
        "LOG_FORMAT": "json",
        "RATE_LIMIT_REQUESTS": "100000000",
        "COST_LIMIT_PER_MINUTE": "1000000000000",  # all cases have one account
        "LOGIN_LIMIT": "1000 per minute",
    }
