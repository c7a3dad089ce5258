"""Streams under faults: no event is lost, doubled or out of order, and every stream of states ends with the newest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final, Generic

import asyncpg

from fullon_graphql.services.change_feed.table import Position
from tests.fixtures.eventually import eventually
from tests.fixtures.rows import TRADER
from tests.torture.clients import StreamClient
from tests.torture.deployment import Deployment, OneServer, candle_store, one_server, redis_client
from tests.torture.faults import FAULTS, D, Fault
from tests.torture.outcome import Outcome
from tests.torture.probe import Probe
from tests.torture.scaled import ScaledDeployment, scaled
from tests.torture.scaled_faults import WINDOWS
from tests.torture.streams import (
    ALL_ORDERS,
    EVENTS,
    FILTERED,
    ROWS,
    event_clients,
    newest_states,
    recorded_events,
    row_clients,
    state_clients,
    stored_rows,
)
from tests.torture.switches import are_settled, lose_sessions, read_switches, staying_sessions, switch_failures
from tests.torture.transports import TRANSPORTS
from tests.torture.webhooks import WEBHOOKS, receiving
from tests.torture.writers import Writer, correct_candles, move_positions, move_prices

TIMEOUT: Final = 180
"""Seconds for steps that take a few if nothing is wrong."""
WRITERS: Final = 6
BETWEEN_FAULTS: Final = 30
"""Transactions that writers begin between two faults."""


@dataclass(frozen=True)
class Scenario(Generic[D]):
    """A deployment and the faults of one round."""

    deployed: Callable[[int], AbstractAsyncContextManager[D]]
    """Starts a deployment that accepts this number of connections per user."""
    faults: Sequence[Fault[D]]
    windows: Mapping[Fault[D], Mapping[str, float]] = field(default_factory=dict)
    """Seconds after each fault in which requests of a kind may fail. Without it no requests are sent."""
    has_services: bool = True
    """True if a services process runs, which delivers webhooks."""


ONE_SERVER: Final = Scenario[OneServer](one_server, FAULTS)
SENTINEL: Final = Scenario[OneServer](partial(one_server, sentinel=True), FAULTS)
"""Redis is behind Sentinel, and its restarts are failovers."""
SCALED: Final = Scenario[ScaledDeployment](scaled, tuple(WINDOWS), WINDOWS, has_services=False)


async def torture(
    scenario: Scenario[D], count: int, seed: int, rounds: Iterable[object], report: Callable[[str], None] = print
) -> Outcome:
    """Run `count` clients over all transports, half of them on events and half on states, and inject faults.

    A few more clients keep the rows of streams that begin with a snapshot, have armed a dead-man's switch, or are the
    endpoints of webhooks.

    Each round injects every fault once. The seed determines their order, their targets and the written values. In the end
    the events of each client and webhook are compared with the feed's table, states and rows with the stores, the orders
    of the writers with their table, and each switch with what became of its session.
    """
    random, outcome = Random(seed), Outcome()
    async with (
        scenario.deployed(count + (len(ROWS) + 1) * len(TRANSPORTS)) as deployment,
        AsyncExitStack() as stack,
    ):
        events = event_clients(deployment, (count + 1) // 2, await _newest_cursor(deployment))
        states = state_clients(deployment, count // 2)
        rows = row_clients(deployment)
        sessions = staying_sessions(deployment)
        clients: list[StreamClient] = [*sessions, *(client for _, client in (*events, *states, *rows))]
        probe = Probe(deployment.url, deployment.tokens[TRADER]) if scenario.windows else None
        webhooks = await stack.enter_async_context(receiving(deployment, random)) if scenario.has_services else []
        async with running(*(client.run() for client in clients)):
            async with running_writers(deployment, random, outcome) as permits, probing(probe, outcome):
                await _inject_faults(scenario, deployment, clients, probe, permits, random, rounds, outcome, report)
            report("writers have ended; waiting until every client has received everything")
            table = await recorded_events(deployment, (*EVENTS, *WEBHOOKS))

            async def all_received() -> bool:
                newest, stored = await newest_states(deployment), await stored_rows(deployment)
                return (
                    all(client.events[-1:] == table[stream][-1:] for stream, client in events)
                    and all(client.steps == newest[stream] for stream, client in states)
                    and all(client.rows == stored[stream] for stream, client in rows)
                    and all(receiver.events[-1:] == table[receiver.webhook][-1:] for receiver in webhooks)
                    and are_settled(await read_switches(deployment), sessions)
                )

            if not await _becomes_true(all_received):
                outcome.failures.append(f"not every client has received everything after {TIMEOUT} s")
                newest = await newest_states(deployment)
                outcome.failures += [
                    f"{client.name}: ends with {client.steps}, not {newest[stream]}"
                    for stream, client in states
                    if client.steps != newest[stream]
                ]
                stored = await stored_rows(deployment)
                outcome.failures += [
                    f"{client.name}: differs in {list(dict(client.rows.items() ^ stored[stream].items()))[:5]}"
                    for stream, client in rows
                    if client.rows != stored[stream]
                ]
            updates = {event.cursor for event in table[ALL_ORDERS] if event.kind == "UPDATED"}
            if not any(client.removals & updates for stream, client in rows if stream is FILTERED):
                outcome.failures.append("no update has removed a row from the stream with a filter")
            outcome.failures += switch_failures(await read_switches(deployment), sessions)
        for stream, client in events:
            outcome.compare(client.name, client.events, table[stream])
        for receiver in webhooks:
            receiver.count(outcome, table[receiver.webhook])
    for each in clients:
        outcome.count(each)
    return outcome


async def _inject_faults(
    scenario: Scenario[D],
    deployment: D,
    clients: Sequence[StreamClient],
    probe: Probe | None,
    permits: asyncio.Semaphore,
    random: Random,
    rounds: Iterable[object],
    outcome: Outcome,
    report: Callable[[str], None],
) -> None:
    """Inject each fault once writers, most clients and the probe have made progress since the last one."""

    async def has_recovered() -> bool:
        return probe is None or probe.has_recovered

    for _ in rounds:
        await lose_sessions(deployment)
        for fault in random.sample(scenario.faults, len(scenario.faults)):
            before = [client.responses for client in clients]
            for _ in range(BETWEEN_FAULTS):
                permits.release()

            async def progressed(before: Sequence[int] = before) -> bool:
                receiving = sum(client.responses > count for client, count in zip(clients, before, strict=True))
                return permits.locked() and receiving > len(clients) // 2 and await has_recovered()

            if not await _becomes_true(progressed):
                outcome.failures.append(f"no progress for {TIMEOUT} s before {fault.__name__}")
                return
            report(f"{sum(client.responses for client in clients):9} responses: {fault.__doc__}")
            if probe:
                probe.begin(fault.__name__, scenario.windows[fault])
            await fault(deployment, clients, random)
            outcome.faults += 1
    if not await _becomes_true(has_recovered):
        outcome.failures.append(f"requests are not answered {TIMEOUT} s after the last fault")


@asynccontextmanager
async def running_writers(deployment: Deployment, random: Random, outcome: Outcome) -> AsyncIterator[asyncio.Semaphore]:
    """Writers that run for one block, as fast as the yielded permits allow, and then end their transactions."""
    permits = asyncio.Semaphore(0)
    writers = [Writer(deployment.settings.database_url, Random(random.random()), permits) for _ in range(WRITERS)]
    async with (
        redis_client(deployment.settings) as redis,
        candle_store(deployment.settings) as store,
        running(move_prices(redis), move_positions(redis), correct_candles(store, redis)),
        asyncio.TaskGroup() as group,
    ):
        for writer in writers:
            group.create_task(writer.run())
        yield permits
        for writer in writers:
            writer.stopping = True
            permits.release()
    outcome.transactions = sum(writer.transactions for writer in writers)
    outcome.missing_orders = len(await _missing_orders(deployment, writers))


@asynccontextmanager
async def probing(probe: Probe | None, outcome: Outcome) -> AsyncIterator[None]:
    """The probe, if there is one, for one block."""
    if probe is None:
        yield
        return
    async with running(probe.run()):
        yield
    outcome.windows = probe.windows
    outcome.failures += probe.failures


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Tasks for one block, which ends with the first of them that fails."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        for task in tasks:
            task.cancel()


async def _missing_orders(deployment: Deployment, writers: Sequence[Writer]) -> set[int]:
    """Orders of committed transactions that are not in their table."""
    connection = await asyncpg.connect(deployment.settings.database_url, timeout=60)
    found = await connection.fetch("SELECT order_id FROM orders")
    await connection.close()
    return {order for writer in writers for order in writer.orders} - {row["order_id"] for row in found}


async def _newest_cursor(deployment: Deployment) -> str:
    """The cursor of the newest change."""
    connection = await asyncpg.connect(deployment.settings.database_url, timeout=60)
    newest = "SELECT (xid, seq) FROM fullon_graphql.changes ORDER BY xid DESC, seq DESC LIMIT 1"
    position = Position(*await connection.fetchval(newest))
    await connection.close()
    return position.cursor


async def _becomes_true(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        await eventually(condition, TIMEOUT, interval=0.05)  # it reads many rows
    except AssertionError:
        return False
    return True
