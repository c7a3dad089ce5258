"""`python -m benchmarks rest`: REST routes beside a bare ASGI reply and FastAPI as in its guide."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

from benchmarks import equivalence
from benchmarks.load import load
from benchmarks.machine import CORES, quiet
from benchmarks.measuring import Sample, measure, middle
from benchmarks.peers import OURS, PEERS_BY_NAME, uvicorn
from benchmarks.questions import REPLY
from benchmarks.report import number, table
from benchmarks.servers import Server, server
from benchmarks.stores import Stores, stores
from fullon_graphql.auth.credentials import BearerToken
from fullon_graphql.auth.tokens import read_access_token
from fullon_graphql.cache.client import connect
from fullon_graphql.database import Database
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.signing_in.authenticator import Authenticator
from fullon_graphql.services.signing_in.sessions import Sessions

ONE_ROW: Final = "/api/v1/orm/bots/1"
LIST: Final = "/api/v1/orm/bots?limit=20"
MOST_P50: Final = 2.0
MOST_VERIFICATION: Final = 1.0
"""The budgets in milliseconds: one row, and the verification of a token."""
VERIFICATIONS: Final = 2_000

GUIDE: Final = "FastAPI and SQLAlchemy as in their guides"
FLOOR: Final = "floor: a bare ASGI reply"


@dataclass(frozen=True)
class Route:
    """A route of this server; `shared` if the peer has it too."""

    title: str
    path: str
    shared: bool = False


ROUTES: Final = (
    Route("/health/live: routing alone", "/health/live"),
    Route("one row", ONE_ROW, shared=True),
    Route("a list of 20 rows", LIST, shared=True),
    Route("/health", "/health"),
    Route("/health/ready", "/health/ready"),
)


def rest(*, rounds: int, seconds: int, clients: int) -> None:
    """Compare the answers, measure and print, route by route."""
    with stores() as data, ExitStack() as stack:
        commands = {
            OURS.title: OURS.command(),
            GUIDE: uvicorn("stock_fastapi:app"),
            FLOOR: PEERS_BY_NAME["rows"].command(),
        }
        servers = {name: stack.enter_context(server(name, command, {}, data)) for name, command in commands.items()}
        for route in ROUTES:
            _compare(route, servers)
        print(f"{len(CORES)} cores; {clients} clients, medians of {rounds} rounds of {seconds} s; {quiet()}.\n")
        for route in ROUTES:
            found = _rounds(route, servers, data, rounds, seconds, clients)
            print(f"### {route.title}\n\n{_table(found)}", flush=True)
            if route.path == ONE_ROW:
                print(_budget("p50", found[OURS.title].p50, MOST_P50))
        print(asyncio.run(_verification(data)))


def _compare(route: Route, servers: Mapping[str, Server]) -> None:
    """Raises `SystemExit` if the peer answers differently."""
    answer = servers[OURS.title].at(route.path).get()
    if route.shared and not equivalence.same(answer, theirs := servers[GUIDE].at(route.path).get()):
        raise SystemExit(f"{route.title}: the answers differ.\n{str(answer)[:600]}\n{str(theirs)[:600]}")


def _rounds(
    route: Route, servers: Mapping[str, Server], data: Stores, rounds: int, seconds: int, clients: int
) -> dict[str, Sample]:
    """The medians of each server's figures, over interleaved rounds. The floor answers its own question."""
    asked: dict[str, tuple[Server, list[str]]] = {OURS.title: (servers[OURS.title].at(route.path), [])}
    if route.shared:
        asked[GUIDE] = (servers[GUIDE].at(route.path), [])
    asked[FLOOR] = (servers[FLOOR], [REPLY.name])
    for each, documents in asked.values():
        load(each, documents, clients, seconds=1)  # caches and pools get warm
    samples = defaultdict(list)
    for _ in range(rounds):
        for name, (each, documents) in asked.items():
            samples[name].append(measure(each, data, documents, clients=clients, seconds=seconds))
    return {name: middle(found) for name, found in samples.items()}


def _table(found: Mapping[str, Sample]) -> str:
    heads = ["", "requests/s", "p50 ms", "times a bare reply", "p99 ms", "server CPU ms", "stores CPU ms"]
    rows = [
        [
            name,
            *map(number, (each.rate, each.p50, each.p50 / found[FLOOR].p50, each.p99, each.server, each.stores)),
        ]
        for name, each in found.items()
    ]
    return table(heads, rows)


async def _verification(data: Stores) -> str:
    """Verification in this process, one token after the other."""
    settings = data.settings
    database = Database.connect(settings.database_url, "benchmark", settings)
    try:
        async with connect(settings.redis_url, settings, "benchmark") as redis:
            authenticator = Authenticator(Sessions(database, redis, settings), ApiKeys(database, settings))
            credential = BearerToken(data.token)
            fields = {b"authorization": f"Bearer {data.token}".encode()}

            async def signature() -> object:
                return read_access_token(settings, data.token)

            checks: dict[str, Callable[[], Awaitable[object]]] = {
                "cached": lambda: authenticator.identify_request(fields),
                "uncached, signature and claims only": signature,
                "uncached, with the session and the account": lambda: authenticator.identify(credential),
            }
            found = {name: await _timed(check) for name, check in checks.items()}
    finally:
        await database.close()
    rows = [[name, *map(number, figures)] for name, figures in found.items()]
    slowest = max(p50 for p50, _ in found.values())
    return (
        f"### Verification of a token, without load\n\n{table(['', 'p50 ms', 'p99 ms'], rows)}\n"
        f"{_budget('p50', slowest, MOST_VERIFICATION)}"
    )


async def _timed(check: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """p50 and p99 in milliseconds, after a warm-up."""
    spent = []
    for _ in range(VERIFICATIONS):
        started = time.perf_counter()
        await check()
        spent.append((time.perf_counter() - started) * 1e3)
    percentiles = quantiles(spent[VERIFICATIONS // 10 :], n=100)
    return percentiles[49], percentiles[98]


def _budget(what: str, found: float, most: float) -> str:
    return f"Budget {'kept' if found <= most else 'MISSED'}: {what} {number(found)} ms, at most {most:g} ms.\n"
