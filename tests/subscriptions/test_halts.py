"""The stream of halts, and dead-man's switches over each transport."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text, update

from fullon_graphql.auth.principal import Scope
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Bot, HaltSwitch, TradingHalt
from fullon_graphql.services.halt_switches import SwitchTimer
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.in_process import in_process
from tests.fixtures.rows import TRADER
from tests.fixtures.server import Server, bearer
from tests.fixtures.signing_in import SignIn
from tests.fixtures.socket import socket
from tests.fixtures.streaming import streaming

STATE = "subscription { tradingState { halted halts { haltId botIds } } }"
ARM = """subscription ($afterSeconds: Int! = 60, $scope: HaltScope! = ALL, $botId: Int, $switchId: ID) {
  haltOnDisconnect(afterSeconds: $afterSeconds, scope: $scope, botId: $botId, switchId: $switchId)
  { switchId state expiresAt haltId } }"""
TAKE_OVER = """subscription ($switchId: ID!) {
  haltOnDisconnect(afterSeconds: 60, switchId: $switchId) { switchId state haltId } }"""
ARM_ALL = "subscription { haltOnDisconnect(afterSeconds: 60) { switchId state } }"
DISARM = "mutation ($id: ID!) { disarmHaltSwitch(switchId: $id) { state } }"
HALT = 'mutation { haltTrading(scope: BOT, botId: 1, reason: "news") { haltId } }'


@pytest.fixture
async def trading(platform: Database) -> Database:
    """The small platform with the bots 1 and 2 switched on."""
    async with platform.transaction() as connection:
        await connection.execute(update(Bot).where(Bot.bot_id.in_([1, 2])).values(active=True))
    return platform


@pytest.fixture
def trader(graph: GraphClient, trading: Database) -> GraphClient:
    return graph.as_(principal(TRADER))


async def states(database: Database) -> list[str]:
    return [row.state for row in await database.rows(select(HaltSwitch.state).order_by(HaltSwitch.armed_at))]


async def is_disarmed(database: Database) -> bool:
    return await states(database) == ["DISARMED"]


async def let_time_pass(database: Database) -> None:
    """Move all deadlines into the past, as if the time of the switches had passed."""
    async with database.transaction() as connection:
        await connection.execute(update(HaltSwitch).values(expires_at=text("now() - interval '1 second'")))


async def armed_and_lost(trader: GraphClient, query: str = ARM_ALL) -> str:
    """The id of a switch whose subscription has ended without being completed."""
    async with aclosing(trader.stream(query)) as events:
        switch = (await anext(events)).data["haltOnDisconnect"]
    assert switch["state"] == "ARMED"
    return str(switch["switchId"])


async def refusal(trader: GraphClient, query: str, **variables: Any) -> list[str]:
    async with aclosing(trader.stream(query, **variables)) as events:
        return (await anext(events)).codes


async def test_stream_of_halts_sends_the_state_and_each_change(trader: GraphClient) -> None:
    async with aclosing(trader.stream(STATE)) as events, asyncio.timeout(20):
        assert (await anext(events)).data["tradingState"] == {"halted": False, "halts": []}
        halt_id = (await trader.data(HALT))["haltTrading"]["haltId"]
        halts = [{"haltId": halt_id, "botIds": [1]}]
        assert (await anext(events)).data["tradingState"] == {"halted": False, "halts": halts}
        await trader.data(f"mutation {{ resumeTrading(haltId: {halt_id}) {{ haltId }} }}")
        assert (await anext(events)).data["tradingState"] == {"halted": False, "halts": []}


async def test_due_switch_is_fired_once_by_racing_evaluators(trader: GraphClient, trading: Database) -> None:
    switch_id = await armed_and_lost(trader)
    await let_time_pass(trading)
    timers = [SwitchTimer(trader.worker.database, trader.worker.writes) for _ in range(4)]
    await asyncio.gather(*(timer.fire_due() for timer in timers))

    [halt] = await trading.rows(select(TradingHalt))
    assert (str(halt.switch_id), halt.bots, halt.by) == (switch_id, [1, 2], TRADER)
    by_switch = AuditEntry.operation == "haltOnDisconnect"
    entries = await trading.rows(select(AuditEntry).where(by_switch).order_by(AuditEntry.seq))
    assert [entry.entity for entry in entries] == ["HaltSwitch", "TradingHalt"]
    assert entries[1].credential == f"switch:{switch_id}"
    assert await states(trading) == ["FIRED"]
    assert await refusal(trader, TAKE_OVER, switchId=switch_id) == ["TRADING_HALTED"]
    assert (await trader.ask(DISARM, id=switch_id)).codes == ["TRADING_HALTED"]


async def test_switch_in_time_is_not_fired(trader: GraphClient, trading: Database) -> None:
    await armed_and_lost(trader)
    seconds = await SwitchTimer(trader.worker.database, trader.worker.writes).fire_due()
    assert 50 < seconds <= 60
    assert await states(trading) == ["ARMED"]


async def test_open_subscription_moves_the_deadline(trader: GraphClient) -> None:
    async with aclosing(trader.stream(ARM, afterSeconds=5)) as events, asyncio.timeout(20):
        first, second = [(await anext(events)).data["haltOnDisconnect"]["expiresAt"] for _ in range(2)]
    assert second > first


async def test_reconnected_client_takes_its_switch_over(trader: GraphClient, trading: Database) -> None:
    async with aclosing(trader.stream(ARM, afterSeconds=5)) as old, asyncio.timeout(20):
        switch_id = (await anext(old)).data["haltOnDisconnect"]["switchId"]
        async with aclosing(trader.stream(TAKE_OVER, switchId=switch_id)) as new:
            assert (await anext(new)).data["haltOnDisconnect"]["switchId"] == switch_id
            assert [event async for event in old] == []  # the older subscription renews it no more
    assert await states(trading) == ["ARMED"]


async def test_switch_is_not_taken_over_after_its_time(trader: GraphClient, trading: Database) -> None:
    switch_id = await armed_and_lost(trader)
    await let_time_pass(trading)
    assert await refusal(trader, TAKE_OVER, switchId=switch_id) == ["CONFLICT"]


async def test_switch_of_another_user_does_not_exist(trader: GraphClient, graph: GraphClient) -> None:
    switch_id, other = await armed_and_lost(trader), graph.as_(principal(3))
    assert await refusal(other, TAKE_OVER, switchId=switch_id) == ["NOT_FOUND"]
    assert (await other.ask(DISARM, id=switch_id)).codes == ["NOT_FOUND"]
    assert (await other.ask(DISARM, id="nonsense")).codes == ["NOT_FOUND"]
    assert await refusal(other, ARM, scope="BOT", botId=1) == ["NOT_FOUND"]
    assert (await other.data("{ haltSwitches { switchId } }"))["haltSwitches"] == []
    assert (await trader.data("{ haltSwitches { switchId } }"))["haltSwitches"] == [{"switchId": switch_id}]


@pytest.mark.parametrize("seconds", [4, 3601, -1])
async def test_seconds_of_a_switch_are_bounded(trader: GraphClient, seconds: int) -> None:
    assert await refusal(trader, ARM, afterSeconds=seconds) == ["BAD_USER_INPUT"]


async def test_arming_requires_the_write_scope(trader: GraphClient) -> None:
    reading = trader.as_(replace(principal(TRADER), scopes=frozenset({Scope.READ})))
    assert await refusal(reading, ARM_ALL) == ["FORBIDDEN"]


async def test_armed_switches_of_an_account_are_limited(trader: GraphClient) -> None:
    object.__setattr__(trader.worker.settings, "halt_switches_per_user", 1)
    await armed_and_lost(trader)
    assert await refusal(trader, ARM_ALL) == ["RATE_LIMITED"]


@pytest.mark.parametrize("closes", [False, True])
async def test_completed_subscription_disarms_its_switch(
    server: Server, sign_in: SignIn, trading: Database, *, closes: bool
) -> None:
    async with socket(server) as client:
        await client.sign_in({"authorization": f"Bearer {await sign_in(TRADER)}"})
        await client.subscribe("1", ARM_ALL)
        assert (await client.next("1"))["haltOnDisconnect"]["state"] == "ARMED"
        await client.send("complete", id="1")
        if not closes:
            await eventually(lambda: is_disarmed(trading))
    await eventually(lambda: is_disarmed(trading))


async def test_switch_survives_lost_connections_and_a_restart_of_the_server(
    settings: Settings, sign_in: SignIn, trading: Database
) -> None:
    token = await sign_in(TRADER)
    async with in_process(settings) as first:
        client = socket(Server(f"http://{first.address}"))
        async with client as lost:
            await lost.sign_in({"authorization": f"Bearer {token}"})
            await lost.subscribe("1", ARM_ALL)
            switch_id = (await lost.next("1"))["haltOnDisconnect"]["switchId"]
            first.stop()
            await lost.closed()
    assert await states(trading) == ["ARMED"]
    async with in_process(settings) as second, socket(Server(f"http://{second.address}")) as back:
        await back.sign_in({"authorization": f"Bearer {token}"})
        await back.subscribe("1", TAKE_OVER, switchId=switch_id)
        assert (await back.next("1"))["haltOnDisconnect"]["state"] == "ARMED"
        back.connection.transport.abort()
    assert await states(trading) == ["ARMED"]


async def test_switch_over_http_is_disarmed_by_a_mutation_only(
    server: Server, sign_in: SignIn, trading: Database
) -> None:
    token = await sign_in(TRADER)
    async with streaming(server, ARM_ALL, bearer(token)) as events:
        switch_id = (await events.data())["haltOnDisconnect"]["switchId"]
    assert await states(trading) == ["ARMED"]
    answer = await server.ask(DISARM, token, id=switch_id)
    assert answer["data"]["disarmHaltSwitch"]["state"] == "DISARMED"
