"""Streams under torture: whatever happens, no event is lost, none comes twice, all are in order, and every stream of
states ends on the newest one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Final

import asyncpg

from fullon_graphql.services.change_feed.table import Position
from tests.fixtures.eventually import eventually
from tests.torture.blows import BLOWS
from tests.torture.followers import Follower
from tests.torture.outcome import Outcome
from tests.torture.stage import Stage, candles, client, stage
from tests.torture.streams import event_followers, happened, newest, state_followers
from tests.torture.writers import Writer, correct_candles, move_positions, move_prices

PATIENCE: Final = 180
"""Seconds for what takes a few, unless something is wrong."""
WRITERS: Final = 6
BETWEEN_BLOWS: Final = 30
"""Transactions, whether they come to their end or not."""


async def torture(clients: int, seed: int, rounds: Iterable[object], tell: Callable[[str], None] = print) -> Outcome:
    """Torture so many clients: half of them follow events and half of them states, by all transports in turn.

    In each round every blow falls once. The seed says in which order, upon whom, and what is written meanwhile. In the
    end what each client has heard is compared with the feed's table, or the newest state in Redis.
    """
    random, outcome = Random(seed), Outcome()
    async with stage(clients) as set_up:
        events = event_followers(set_up, (clients + 1) // 2, await _beginning(set_up))
        states = state_followers(set_up, clients // 2)
        followers: list[Follower] = [follower for _, follower in (*events, *states)]
        async with running(*(follower.run() for follower in followers)):
            async with writing(set_up, random, outcome) as allowance:
                await _strike(set_up, followers, allowance, random, rounds, outcome, tell)
            tell("writers have ended; waiting until everybody has heard everything")
            table = await happened(set_up)

            async def all_is_said() -> bool:
                now = await newest(set_up)
                return all(follower.events[-1:] == table[stream][-1:] for stream, follower in events) and all(
                    follower.steps == now[stream] for stream, follower in states
                )

            if not await _comes_true(all_is_said):
                outcome.complaints.append(f"not everybody has heard the end after {PATIENCE} s")
                now = await newest(set_up)
                outcome.complaints += [
                    f"{follower.name}: ends on {follower.steps}, not {now[stream]}"
                    for stream, follower in states
                    if follower.steps != now[stream]
                ]
        for stream, follower in events:
            outcome.compare(follower.name, follower.events, table[stream])
    for each in followers:
        outcome.count(each)
    return outcome


async def _strike(
    stage: Stage,
    followers: Sequence[Follower],
    allowance: asyncio.Semaphore,
    random: Random,
    rounds: Iterable[object],
    outcome: Outcome,
    tell: Callable[[str], None],
) -> None:
    """Let the blows fall while everybody works."""
    for _ in rounds:
        for blow in random.sample(BLOWS, len(BLOWS)):
            heard = [follower.heard for follower in followers]
            for _ in range(BETWEEN_BLOWS):
                allowance.release()

            async def goes_on(heard: Sequence[int] = heard) -> bool:
                at_work = sum(now.heard > then for now, then in zip(followers, heard, strict=True))
                return allowance.locked() and at_work > len(followers) // 2

            if not await _comes_true(goes_on):
                outcome.complaints.append(f"nothing goes on before {blow.__name__}, for {PATIENCE} s")
                return
            tell(f"{sum(each.heard for each in followers):9} heard: {blow.__doc__}")
            await blow(stage, followers, random)
            outcome.blows += 1


@asynccontextmanager
async def writing(stage: Stage, random: Random, outcome: Outcome) -> AsyncIterator[asyncio.Semaphore]:
    """Writers who work for one block as far as it allows, and end their transactions after it."""
    allowance = asyncio.Semaphore(0)
    writers = [Writer(stage.settings.database_url, Random(random.random()), allowance) for _ in range(WRITERS)]
    async with (
        client(stage.settings) as redis,
        candles(stage.settings) as store,
        running(move_prices(redis), move_positions(redis), correct_candles(store, redis)),
        asyncio.TaskGroup() as group,
    ):
        for writer in writers:
            group.create_task(writer.run())
        yield allowance
        for writer in writers:
            writer.enough = True
            allowance.release()
    outcome.transactions = sum(writer.transactions for writer in writers)


@asynccontextmanager
async def running(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Tasks for one block, which ends with the first of them that fails."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        yield
        for task in tasks:
            task.cancel()


async def _beginning(stage: Stage) -> str:
    """The cursor of the newest change there is."""
    connection = await asyncpg.connect(stage.settings.database_url, timeout=60)
    newest = "SELECT (xid, seq) FROM fullon_graphql.changes ORDER BY xid DESC, seq DESC LIMIT 1"
    position = Position(*await connection.fetchval(newest))
    await connection.close()
    return position.cursor


async def _comes_true(condition: Callable[[], Awaitable[bool]]) -> bool:
    try:
        await eventually(condition, PATIENCE)
    except AssertionError:
        return False
    return True
