"""Sharing of sources, late subscribers and slow subscribers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fullon_graphql.auth.principal import ALL_SCOPES, Principal, Scope
from fullon_graphql.context import Context
from fullon_graphql.engine.events import Subscription
from fullon_graphql.engine.operations import GraphQLErrors
from fullon_graphql.errors import Forbidden, FullonError, NotFound, ServiceUnavailable
from fullon_graphql.streaming import broadcast
from fullon_graphql.streaming.backlog import Frame
from fullon_graphql.streaming.registry import ENDED_BY_SERVER, StreamRegistry
from tests.fixtures.eventually import eventually
from tests.fixtures.graph import ANONYMOUS, GraphClient, principal
from tests.fixtures.limits import refusals
from tests.fixtures.rows import OTHER, TRADER
from tests.streaming import scripted
from tests.streaming.scripted import Driver, Private, Ticker, deliver, gates, number, numbered, opened

SHARED = "subscription { shared { number } }"
OWN = "subscription { own { number } }"
KEYED = "subscription { keyed { number } }"
EVENTS = "subscription ($after: String) { happened(after: $after) { number } }"
Asked = tuple[Principal, str, dict[str, Any]]
ONE, TWO = principal(TRADER), principal(OTHER)


@pytest.fixture
def driver(graph: GraphClient) -> Driver:
    return Driver.over(graph.worker)


def codes(error: GraphQLErrors) -> list[str]:
    return [one["extensions"]["code"] for one in error.errors]


async def test_equal_subscriptions_share_one_source_and_one_execution(driver: Driver) -> None:
    async with AsyncExitStack() as stack:
        everybody = [
            await stack.enter_async_context(driver.subscribe(caller, SHARED))
            for caller in (ONE, TWO)
            for _ in range(50)
        ]
        waiting = [asyncio.create_task(number(subscriber)) for subscriber in everybody]
        await asyncio.sleep(0)
        opened[0].queue.put_nowait(Ticker(number=1))
        assert await asyncio.gather(*waiting) == [1] * 100
        frames = [asyncio.create_task(anext(subscriber)) for subscriber in everybody]
        await asyncio.sleep(0)
        opened[0].queue.put_nowait(Ticker(number=2))
        assert len({id(await frame) for frame in frames}) == 1
    assert len(opened) == 1
    assert driver.count("events_total") == 2
    assert driver.count("deliveries_total") == 200


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        ((ONE, SHARED, {}), (ONE, "subscription { shared { number of } }", {})),
        ((ONE, "subscription ($t: String! = \"a\") { shared(tag: $t) { number } }", {}),
         (ONE, "subscription ($t: String! = \"a\") { shared(tag: $t) { number } }", {"t": "b"})),
        ((ONE, OWN, {}), (TWO, OWN, {})),
        ((ONE, OWN, {}), (principal(TRADER, admin=True), OWN, {})),
        ((ONE, OWN, {}), (Principal(TRADER, "", False, "api_key:1", None, frozenset({Scope.READ})), OWN, {})),
        ((ONE, EVENTS, {"after": "c1"}), (ONE, EVENTS, {"after": "c1"})),
    ],
)  # fmt: skip
async def test_different_documents_variables_or_audiences_are_not_shared(
    driver: Driver, mine: Asked, yours: Asked
) -> None:
    async with driver.subscribe(mine[0], mine[1], **mine[2]), driver.subscribe(yours[0], yours[1], **yours[2]):
        assert len(opened) == 2


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        ((ONE, OWN, {}), (principal(TRADER), OWN, {})),
        ((ONE, SHARED, {}), (principal(TRADER, admin=True), SHARED, {"unused": 1})),
        ((ONE, "subscription ($t: String! = \"a\") { shared(tag: $t) { number } }", {}),
         (TWO, "subscription ($t: String! = \"a\") { shared(tag: $t) { number } }", {"t": "a"})),
        ((ONE, EVENTS, {"after": None}), (ONE, EVENTS, {"after": None})),
    ],
)  # fmt: skip
async def test_equal_documents_variables_and_audiences_are_shared(driver: Driver, mine: Asked, yours: Asked) -> None:
    async with driver.subscribe(mine[0], mine[1], **mine[2]), driver.subscribe(yours[0], yours[1], **yours[2]):
        assert len(opened) == 1


async def test_fields_that_depend_on_the_caller_are_executed_per_caller(driver: Driver) -> None:
    query = "subscription { own { number caller } }"
    async with driver.subscribe(ONE, query) as mine, driver.subscribe(TWO, query) as yours:
        for source, subscriber, caller in zip(opened, (mine, yours), (ONE, TWO), strict=True):
            source.queue.put_nowait(Private(number=1))
            frame = await anext(subscriber)
            assert orjson.loads(frame.body) == {"data": {"own": {"number": 1, "caller": caller.mail}}}


async def test_stream_closes_with_its_last_subscriber(driver: Driver) -> None:
    async with driver.subscribe(ONE, SHARED) as first:
        async with driver.subscribe(TWO, SHARED):
            await deliver(opened[0], Ticker(number=1))
        assert not opened[0].closed
        assert await number(first) == 1
    assert opened[0].closed
    async with driver.subscribe(ONE, SHARED):
        assert len(opened) == 2
    assert driver.count("streams ") == driver.count("stream_listeners ") == 0


async def test_streams_that_close_are_closed_before_the_registry_ends(driver: Driver) -> None:
    async with driver.streams.running():
        subscription = await driver.streams.open(*driver.request(ONE, SHARED))
        await deliver(opened[0], Ticker(number=1))
        subscription.close()
        assert not opened[0].closed
    assert opened[0].closed


async def test_late_subscriber_gets_the_snapshot_once_then_newer_events(driver: Driver) -> None:
    async with driver.subscribe(ONE, SHARED) as first:
        reading = asyncio.create_task(number(first))
        await asyncio.sleep(0)
        await deliver(opened[0], Ticker(number=1))
        assert await reading == 1
        executed = driver.count("events_total")
        async with driver.subscribe(TWO, SHARED) as second, driver.subscribe(TWO, SHARED) as third:
            assert [await number(second), await number(third)] == [1, 1]
            assert driver.count("events_total") == executed + 1
            opened[0].queue.put_nowait(Ticker(number=2))
            assert [await number(one) for one in (first, second, third)] == [2, 2, 2]


async def test_event_during_the_execution_of_a_snapshot_follows_it(driver: Driver) -> None:
    async with driver.subscribe(ONE, SHARED) as first:
        await deliver(opened[0], Ticker(number=1))
        assert await number(first) == 1
        async with driver.subscribe(TWO, SHARED) as second:
            state = asyncio.create_task(number(second))
            opened[0].queue.put_nowait(Ticker(number=2))
            assert [await state, await number(second)] == [1, 2]
            assert await number(first) == 2


async def test_subscriber_that_joins_during_an_execution_gets_the_event_once(driver: Driver) -> None:
    query = "subscription { own { number slowly } }"
    async with driver.subscribe(ONE, query) as first:
        gates.append(gate := asyncio.Event())
        reading = [asyncio.create_task(number(first))]
        await deliver(opened[0], Private(number=1))
        assert opened[0].known
        async with driver.subscribe(ONE, query) as second:
            reading.append(asyncio.create_task(number(second)))
            gate.set()
            assert await asyncio.gather(*reading) == [1, 1]
            reading = [asyncio.create_task(number(subscriber)) for subscriber in (first, second)]
            await deliver(opened[0], Private(number=2))
            assert await asyncio.gather(*reading) == [2, 2]


async def test_slow_reader_of_states_gets_the_newest_and_delays_no_other(driver: Driver) -> None:
    async with driver.subscribe(ONE, SHARED) as slow, driver.subscribe(ONE, SHARED) as quick:
        for step in range(100):
            opened[0].queue.put_nowait(Ticker(number=step))
            assert await number(quick) == step
        assert await number(slow) == 99
        opened[0].queue.put_nowait(Ticker(number=100))
        assert [await number(slow), await number(quick)] == [100, 100]


async def test_slow_reader_gets_the_newest_state_of_each_key(driver: Driver) -> None:
    async with driver.subscribe(ONE, "subscription { keyed { number of } }") as slow:
        reading = asyncio.create_task(number(slow))
        await asyncio.sleep(0)
        await deliver(opened[0], Ticker(number=0, of="a"))
        assert await reading == 0
        await deliver(opened[0], *(Ticker(number=step, of="ab"[step % 2]) for step in range(1, 9)))
        assert [await number(slow), await number(slow)] == [7, 8]


async def test_slow_reader_of_events_gets_its_backlog_then_lagged_with_a_cursor(driver: Driver) -> None:
    backlog = driver.worker.settings.stream_backlog
    async with driver.subscribe(ONE, EVENTS) as slow, driver.subscribe(ONE, EVENTS) as quick:
        for step in range(backlog + 10):
            opened[0].queue.put_nowait(Private(number=step))
            assert await number(quick) == step
        frames = [await anext(slow) for _ in range(backlog)]
        assert [numbered(frame) for frame in frames] == list(range(backlog))
        with pytest.raises(GraphQLErrors) as lagged:
            await anext(slow)
        assert lagged.value.errors[0]["extensions"] == {"code": "LAGGED", "cursor": f"c{backlog - 1}"}
        assert frames[-1].cursor == f"c{backlog - 1}"


async def test_keyed_event_stream_starts_with_a_snapshot_and_keeps_the_newest_of_each_key(
    driver: Driver,
) -> None:
    query = "subscription { bars { number of } }"
    async with driver.subscribe(ONE, query) as first:
        await deliver(opened[0], Ticker(number=1, of="a"))
        async with driver.subscribe(TWO, query) as second:
            await deliver(opened[0], *(Ticker(number=step, of="ab"[step % 2]) for step in range(2, 6)))
            assert [await number(first) for _ in range(2)] == [4, 5]
            assert [await number(second) for _ in range(3)] == [1, 4, 5]


async def test_events_before_the_first_read_are_kept(driver: Driver) -> None:
    async with driver.subscribe(ONE, EVENTS) as subscriber:
        await deliver(opened[0], Private(number=1), Private(number=2))
        assert [await number(subscriber), await number(subscriber)] == [1, 2]


async def test_end_of_the_source_ends_every_subscriber(driver: Driver) -> None:
    async with driver.subscribe(ONE, SHARED) as one, driver.subscribe(TWO, SHARED) as two:
        await deliver(opened[0], Ticker(number=1), None)
        assert [numbered(frame) async for frame in one] == [1]
        assert [numbered(frame) async for frame in two] == [1]
        async with driver.subscribe(ONE, SHARED):
            assert len(opened) == 2


async def test_error_of_the_source_ends_the_stream_with_its_code(driver: Driver) -> None:
    async with driver.subscribe(ONE, SHARED) as one:
        opened[0].queue.put_nowait(Forbidden("No more."))
        with pytest.raises(GraphQLErrors) as ended:
            await anext(one)
        assert codes(ended.value) == ["FORBIDDEN"]
        assert ended.value.errors[0]["path"] == ["shared"]


async def test_state_stream_reopens_its_source_after_an_outage(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "RETRY_PAUSES", (0.0, 0.0))
    async with driver.subscribe(ONE, SHARED) as one:
        opened[0].queue.put_nowait(Ticker(number=1))
        assert await number(one) == 1
        for attempt in range(2):
            opened[attempt].queue.put_nowait(ServiceUnavailable("redis"))
            await eventually(lambda: len(opened) == attempt + 2)  # noqa: B023  # called in this turn of the loop only
        opened[2].queue.put_nowait(Ticker(number=2))
        assert await number(one) == 2


async def test_outage_at_the_start_or_beyond_all_retries_ends_the_stream(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "RETRY_PAUSES", ())
    for events in ([], [Ticker(number=1)]):
        async with driver.subscribe(ONE, SHARED) as one:
            await deliver(opened[-1], *events, ServiceUnavailable("redis"))
            assert [numbered(await anext(one)) for _ in events] == [1] * len(events)
            with pytest.raises(GraphQLErrors) as ended:
                await anext(one)
            assert codes(ended.value) == ["SERVICE_UNAVAILABLE"]


@pytest.mark.parametrize(
    ("outage", "code"),
    [(ServiceUnavailable("postgres"), "SERVICE_UNAVAILABLE"), (TimeoutError(), "TIMEOUT")],
)
async def test_event_that_a_store_does_not_complete_is_not_delivered(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, outage: Exception, code: str
) -> None:
    """The client would take its cursor for the last one, and never read the missing rows."""
    async with driver.subscribe(ONE, "subscription { happened { number stored } }") as events:
        await deliver(opened[-1], Private(number=1))
        assert orjson.loads((await anext(events)).body)["data"] == {"happened": {"number": 1, "stored": 1}}
        monkeypatch.setattr(scripted, "outages", [outage])
        await deliver(opened[-1], [Private(number=2), Private(number=3)])
        with pytest.raises(GraphQLErrors) as ended:
            await anext(events)
    assert codes(ended.value) == [code]


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("subscription { own { number stored } }", ServiceUnavailable("postgres")),
        ("subscription { happened { number stored } }", NotFound("It is gone.")),
    ],
)
async def test_state_and_event_with_a_lasting_error_are_delivered_with_it(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, query: str, error: FullonError
) -> None:
    monkeypatch.setattr(scripted, "outages", [error])
    async with driver.subscribe(ONE, query) as events:
        await deliver(opened[-1], Private(number=1))
        answer = orjson.loads((await anext(events)).body)
    assert [*answer["data"].values()] == [{"number": 1, "stored": None}]
    assert [each["extensions"]["code"] for each in answer["errors"]] == [error.code]


@pytest.mark.parametrize(
    ("caller", "query", "variables", "code"),
    [
        (ANONYMOUS, SHARED, {}, "UNAUTHENTICATED"),
        (Principal(TRADER, "", False, "api_key:1", None, ALL_SCOPES - {Scope.READ}), SHARED, {}, "FORBIDDEN"),
        (ONE, "subscription { shared { nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (ONE, 'subscription { shared(tag: "bad") { number } }', {}, "BAD_USER_INPUT"),
        (ONE, "subscription ($t: String!) { shared(tag: $t) { number } }", {"t": 1}, "BAD_USER_INPUT"),
    ],
)
async def test_invalid_subscription_is_refused_with_a_code(
    driver: Driver, caller: Principal, query: str, variables: dict[str, Any], code: str
) -> None:
    with pytest.raises(GraphQLErrors) as refused:
        async with driver.subscribe(caller, query, **variables):
            pass
    assert codes(refused.value) == [code]
    assert not opened


async def test_subscriptions_of_an_account_are_limited(driver: Driver) -> None:
    limit, before = driver.worker.settings.subscriptions_per_user, refusals("SUBSCRIPTIONS_PER_USER")
    async with AsyncExitStack() as stack:
        for _ in range(limit):
            await stack.enter_async_context(driver.subscribe(ONE, SHARED))
        with pytest.raises(GraphQLErrors) as refused:
            async with driver.subscribe(ONE, SHARED):
                pass
        assert codes(refused.value) == ["RATE_LIMITED"]
        assert refusals("SUBSCRIPTIONS_PER_USER") == before + 1
        async with driver.subscribe(TWO, SHARED):
            pass
    async with driver.subscribe(ONE, SHARED):
        pass
    assert refusals("SUBSCRIPTIONS_PER_USER") == before + 1


async def until_error(frames: Any) -> tuple[list[str], dict[str, Any]]:
    """The cursors of all frames, and the extensions of the error that ends the stream."""
    cursors: list[str] = []
    try:
        async for frame in frames:
            cursors.append(frame.cursor)
    except GraphQLErrors as ended:
        return cursors, ended.errors[0]["extensions"]
    pytest.fail("the stream ended without an error")


async def test_backlog_of_large_events_lags_by_bytes(driver: Driver) -> None:
    driver.worker.settings.stream_backlog_bytes = 1_000
    async with driver.subscribe(ONE, EVENTS) as slow, driver.subscribe(ONE, EVENTS) as quick:
        for step in range(100):
            opened[0].queue.put_nowait(Private(number=step))
            assert await number(quick) == step
        assert driver.count("stream_backlog_bytes ") <= 1_000 + 100, "the frame that `quick` sends is counted as well"
        cursors, extensions = await until_error(slow)
    assert 2 < len(cursors) < 100
    assert extensions == {"code": "LAGGED", "cursor": cursors[-1]}
    assert driver.count("stream_overflows_total") == 1
    assert driver.count("stream_backlog_bytes ") == 0


def metric(driver: Driver, name: str, *labels: str) -> float:
    families = text_string_to_metric_families(driver.operations.metrics.text().decode())
    samples = [sample for family in families for sample in family.samples]
    found = [one.value for one in samples if (one.name, *one.labels.values()) == (f"fullon_graphql_{name}", *labels)]
    return sum(found)


async def test_starts_and_ends_are_counted_by_transport_and_reason(driver: Driver) -> None:
    driver.worker.settings.stream_backlog = 1

    async def ended(reason: str, act: Callable[[asyncio.Task[None]], object], query: str = SHARED) -> None:
        request, context = driver.request(ONE, query)

        async def read() -> None:
            async with driver.streams.subscribe(request, context, transport="sse") as frames:
                async for _ in frames:
                    raise OSError("the client has gone")

        reading = asyncio.create_task(read())
        await eventually(lambda: metric(driver, "stream_listeners"))
        act(reading)
        await asyncio.wait([reading])
        assert metric(driver, "streams_ended_total", reason, "sse") == 1

    await ended("client", lambda reading: reading.cancel())
    await ended("server", lambda reading: reading.cancel(ENDED_BY_SERVER))
    await ended("completed", lambda _: opened[-1].queue.put_nowait(None))
    await ended("error", lambda _: opened[-1].queue.put_nowait(ServiceUnavailable("redis")))
    assert metric(driver, "streams_started_total", "sse") == 4

    async def lag() -> None:
        async with driver.subscribe(ONE, EVENTS) as slow:
            await deliver(opened[-1], *(Private(number=step) for step in range(3)))
            await until_end(slow)

    with pytest.raises(GraphQLErrors):
        await lag()
    assert metric(driver, "streams_ended_total", "lagged", "internal") == 1


async def test_replaced_states_are_counted_as_skipped(driver: Driver) -> None:
    async with driver.subscribe(ONE, KEYED) as slow:
        reading = asyncio.create_task(number(slow))
        await deliver(opened[0], Ticker(number=0))
        await reading
        await deliver(opened[0], *(Ticker(number=step) for step in range(1, 4)))
        assert await number(slow) == 3
    assert metric(driver, "stream_events_skipped_total", "replaced") == 2


async def test_delivery_lag_is_measured_from_the_event_to_the_socket(driver: Driver) -> None:
    sent: list[Frame] = []

    def send(frame: Frame) -> bool:
        sent.append(frame)
        return True

    quick_request, slow_request = driver.request(ONE, KEYED), driver.request(TWO, KEYED)
    async with (
        driver.streams.subscribe(*quick_request, try_send=send) as quick,
        driver.streams.subscribe(*slow_request) as slow,
    ):
        reading = asyncio.create_task(until_end(quick))
        await deliver(opened[0], Ticker(number=0, at=1.0))  # the state at the start is no news
        await deliver(opened[0], Ticker(number=1, at=time.time() - 2), Ticker(number=2))
        assert [numbered(frame) for frame in sent] == [1, 2]
        assert metric(driver, "delivery_lag_seconds_count", "states") == 1
        await deliver(opened[0], Ticker(number=3, at=time.time() - 20))
        assert await number(slow) == 3
        assert metric(driver, "delivery_lag_seconds_count", "states") == 2, "the second one is not written yet"
        reading_slowly = asyncio.create_task(number(slow))
        await asyncio.sleep(0)
        assert metric(driver, "delivery_lag_seconds_count", "states") == 3
        reading.cancel()
        reading_slowly.cancel()
        await asyncio.wait([reading, reading_slowly])
    assert 42 <= metric(driver, "delivery_lag_seconds_sum", "states") < 50
    assert metric(driver, "delivery_lag_seconds_bucket", "states", "2.5") == 1


async def until_end(frames: Any) -> None:
    async for _ in frames:
        pass


async def test_worker_without_room_lags_events_and_keeps_no_states(driver: Driver) -> None:
    driver.streams = StreamRegistry(driver.operations, 100)
    async with driver.subscribe(ONE, EVENTS) as slow, driver.subscribe(ONE, SHARED) as states:
        await deliver(opened[0], *(Private(number=step) for step in range(10)))
        await deliver(opened[1], *(Ticker(number=step) for step in range(10)))
        assert driver.count("stream_backlog_bytes ") <= 100
        assert await number(states) == 9
        cursors, extensions = await until_error(slow)
    assert extensions == {"code": "LAGGED", "cursor": cursors[-1]}


@pytest.mark.parametrize(("fault", "code"), [("hang", "TIMEOUT"), ("raise", "INTERNAL")])
async def test_failing_audience_ends_alone_and_delays_no_other(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, fault: str, code: str
) -> None:
    driver.worker.settings.stream_execution_timeout = 0.5
    before = refusals("STREAM_EXECUTION_TIMEOUT")
    answers = Subscription.answers

    async def faulty(self: Subscription, context: Context, events: Sequence[Any], *, complete: bool) -> list[bytes]:
        if context.caller == ONE:
            await (asyncio.Event().wait() if fault == "hang" else _raise())
        return await answers(self, context, events, complete=complete)

    monkeypatch.setattr(Subscription, "answers", faulty)
    monkeypatch.setattr(Subscription, "immediate_answers", lambda *_: None)  # as if a store was selected
    async with driver.subscribe(ONE, OWN) as failing, driver.subscribe(TWO, OWN) as other:
        for step in range(20):
            opened[0].queue.put_nowait(Private(number=step))
            opened[1].queue.put_nowait(Private(number=step))
            async with asyncio.timeout(0.4):
                assert numbered(await anext(other)) == step
        with pytest.raises(GraphQLErrors) as ended:
            await anext(failing)
        assert codes(ended.value) == [code]
        assert refusals("STREAM_EXECUTION_TIMEOUT") == before + (fault == "hang")
        opened[1].queue.put_nowait(Private(number=20))
        assert await number(other) == 20


async def _raise() -> None:
    raise ZeroDivisionError
