"""Events reach an endpoint at least once, signed, in order, and none that the owner may not see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import delete, select, text, update

from fullon_graphql.background import BackgroundTasks
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.models import AuditEntry, Bot, Order, User, Webhook, WebhookDelivery
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.change_feed.pruning import edge, prune
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import Change
from fullon_graphql.services.webhooks import signing, streams
from fullon_graphql.services.webhooks.deliverer import WebhookDeliverer, backoff
from tests.fixtures.endpoint import Endpoint, Received, endpoint
from tests.fixtures.eventually import eventually, eventually_equal
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, order
from tests.services.webhooks.recipe import is_genuine

CREATE = """mutation ($url: String!, $streams: [WebhookStream!]!, $kinds: [ChangeKind!], $bot: Int) {
  createWebhook(input: {name: "test", url: $url, streams: $streams, kinds: $kinds, botId: $bot}) {
    secret webhook { webhookId }
  }
}"""
STATE = "query ($id: Int!) { webhook(webhookId: $id) { state reason failures nextAttemptAt deliveredAt } }"
LOG = """query ($id: Int!) {
  webhook(webhookId: $id) {
    deliveries { nodes { eventId eventType eventCursor attempt outcome statusCode error durationMs nextAttemptAt } }
  }
}"""

Deliver = Callable[[], AbstractAsyncContextManager[Metrics]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"webhook_private_networks": True, "webhook_timeout": 5.0})


@pytest.fixture
async def hook() -> AsyncIterator[Endpoint]:
    async with endpoint() as made:
        yield made


@pytest.fixture
def deliver(platform: Database, graph: GraphClient, settings: Settings) -> Deliver:
    """Runs a deliverer, which retries at once."""

    @asynccontextmanager
    async def delivering() -> AsyncIterator[Metrics]:
        tasks, metrics = BackgroundTasks(), Metrics()
        async with ChangeFeed(platform, graph.worker.redis, 5, tasks) as changes:
            deliverer = WebhookDeliverer(
                platform, settings, metrics, changes, pause_after=lambda _: 0.01, refresh_seconds=0.02
            )
            async with tasks.running({"webhooks": deliverer.run}):
                yield metrics

    return delivering


async def create(client: GraphClient, url: str, *streams: str, **filters: Any) -> tuple[int, str]:
    """The key and the secret of a new webhook."""
    created = (await client.data(CREATE, url=url, streams=streams or ["ORDERS"], **filters))["createWebhook"]
    return created["webhook"]["webhookId"], created["secret"]


async def stored(database: Database, webhook_id: int) -> Any:
    return await database.row(select(Webhook).where(Webhook.webhook_id == webhook_id))


async def entries(client: GraphClient, webhook_id: int) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = (await client.data(LOG, id=webhook_id))["webhook"]["deliveries"]["nodes"]
    return nodes


def is_signed(request: Received, secret: str) -> bool:
    return is_genuine(secret, request.headers["fullon-signature"], request.body)


async def test_events_are_delivered_in_order_and_signed(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, secret = await create(trader, hook.url)
    await add(platform, Order, order(1001, 1, TRADER))
    async with platform.transaction() as connection:
        await connection.execute(update(Order).where(Order.order_id == 1001).values(status="filled"))
        await connection.execute(delete(Order).where(Order.order_id == 1001))
    async with deliver() as metrics:
        await eventually(lambda: len(hook.requests) == 3)
        await eventually(lambda: _is_delivered(platform, webhook_id, hook.requests[-1].event["cursor"]))
    assert hook.types == ["orders.created", "orders.updated", "orders.deleted"]
    assert all(is_signed(request, secret) for request in hook.requests)
    assert not is_signed(hook.requests[0], secret + "x")
    assert hook.requests[0].target == "/hook?a=b"
    event = hook.requests[0].event
    assert event["id"] == hook.requests[0].id == f"wh{webhook_id}-{event['cursor']}"
    assert event["data"] == {"key": {"order_id": 1001}, "row": None}  # the row is deleted when the event is sent
    log = await entries(trader, webhook_id)
    assert [(one["eventId"], one["attempt"], one["outcome"], one["statusCode"]) for one in log] == [
        (one, 1, "DELIVERED", 200) for one in hook.ids
    ]
    assert b'fullon_graphql_webhook_deliveries_total{outcome="delivered"} 3.0' in metrics.text()


async def _is_delivered(database: Database, webhook_id: int, cursor: str) -> bool:
    row = await stored(database, webhook_id)
    return f"{row.cursor_xid:x}-{row.cursor_seq:x}" == cursor


async def test_event_has_the_row_without_secrets(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    await create(graph.as_(principal(ADMIN, admin=True)), hook.url, "ORDERS", "BOT_LOGS", "AUDIT_LOG")
    async with deliver():
        await add(platform, Order, order(1001, 1, TRADER, price=0.1))
        await platform.rows(
            text(
                "INSERT INTO bot_log (bot_id, feed_num, ex_id, symbol, position, message)"
                " VALUES (1, 0, 20, 'BTC/USD', 1.50, 'hi') RETURNING 1"
            )
        )
        # Its own creation is audited in the transaction that sets its cursor.
        await eventually(lambda: sorted(hook.types) == ["audit_log.created", "bot_logs.created", "orders.created"])
    rows = {request.event["type"]: request.event["data"]["row"] for request in hook.requests}
    assert (rows["orders.created"]["price"], rows["orders.created"]["symbol"]) == (0.1, "BTC/USD")
    assert (rows["bot_logs.created"]["position"], rows["bot_logs.created"]["message"]) == ("1.50", "hi")
    assert "salt" not in rows["audit_log.created"]
    assert rows["audit_log.created"]["after"].keys().isdisjoint({"secret"})


async def test_only_events_that_the_owner_may_see_are_delivered(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    await create(graph.as_(principal(TRADER)), hook.url, "ORDERS", "BOTS")
    await add(platform, Order, order(1001, 6, OTHER), order(1002, 1, TRADER))
    async with deliver():
        await eventually(lambda: hook.requests)
        await add(platform, Order, order(1003, 6, OTHER), order(1004, 1, TRADER))
        await eventually(lambda: len(hook.requests) >= 2)
    assert [request.event["data"]["key"] for request in hook.requests] == [{"order_id": 1002}, {"order_id": 1004}]


async def test_filter_selects_kinds_and_a_bot(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    await create(graph.as_(principal(TRADER)), hook.url, kinds=["CREATED"], bot=2)
    async with deliver():
        await add(platform, Order, order(1001, 1, TRADER), order(1002, 2, TRADER))
        async with platform.transaction() as connection:
            await connection.execute(update(Order).where(Order.order_id == 1002).values(status="filled"))
        await add(platform, Order, order(1003, 2, TRADER))
        await eventually(lambda: len(hook.requests) == 2)
    assert [request.event["data"]["key"]["order_id"] for request in hook.requests] == [1002, 1003]


async def test_deliverer_killed_before_the_cursor_is_written_sends_the_event_again_with_the_same_id(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    webhook_id, _ = await create(graph.as_(principal(TRADER)), hook.url)
    await add(platform, Order, order(1001, 1, TRADER), order(1002, 1, TRADER))
    hook.may_answer.clear()
    async with deliver():
        await eventually(lambda: hook.requests)  # received, not answered
    hook.may_answer.set()
    async with deliver():
        await eventually(lambda: len(hook.requests) == 3)
        await eventually(lambda: _is_delivered(platform, webhook_id, hook.requests[-1].event["cursor"]))
    first, again, second = hook.ids
    assert first == again != second


async def test_failed_event_is_repeated_until_it_is_accepted_and_before_later_ones(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    hook.statuses = [500, 302, 404, 204]
    async with deliver() as metrics:
        await add(platform, Order, order(1001, 1, TRADER), order(1002, 1, TRADER))
        await eventually(lambda: len(hook.requests) == 5)
        await eventually_equal(lambda: _outcomes(trader, webhook_id), ["FAILED"] * 3 + ["DELIVERED"] * 2)
    assert len(set(hook.ids[:4])) == 1
    log = await entries(trader, webhook_id)
    assert [(one["attempt"], one["statusCode"]) for one in log] == [(1, 500), (2, 302), (3, 404), (4, 204), (1, 204)]
    assert log[0]["error"] == "The answer was 500, not 2xx."
    assert log[0]["nextAttemptAt"]
    assert (await trader.data(STATE, id=webhook_id))["webhook"]["failures"] == 0
    assert b'fullon_graphql_webhook_deliveries_total{outcome="refused"} 3.0' in metrics.text()


async def _outcomes(client: GraphClient, webhook_id: int) -> list[str]:
    return [one["outcome"] for one in await entries(client, webhook_id)]


async def test_endpoint_that_does_not_answer_is_a_failure(
    graph: GraphClient, platform: Database, unused_tcp_port: int, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, f"http://127.0.0.1:{unused_tcp_port}/")
    await add(platform, Order, order(1001, 1, TRADER))
    async with deliver() as metrics:
        [first, *_] = await eventually(lambda: entries(trader, webhook_id))
        waiting = "fullon_graphql_webhook_oldest_undelivered_seconds"
        [age] = [line for line in metrics.text().decode().splitlines() if line.startswith(waiting)]
        assert float(age.split()[1]) > 0
    assert (first["outcome"], first["statusCode"]) == ("FAILED", None)
    assert first["error"].startswith("The connection failed")


def test_pauses_double_up_to_an_hour_with_jitter() -> None:
    for failures, longest in [(1, 1), (2, 2), (5, 16), (13, 3600), (10_000, 3600)]:
        assert longest / 2 <= backoff(failures) <= longest


async def test_gone_disables_the_webhook_until_it_is_activated(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    hook.statuses = [410]
    await add(platform, Order, order(1001, 1, TRADER))
    async with deliver():
        await eventually_equal(lambda: _state(trader, webhook_id), "DISABLED")
        hook.statuses = [200]
        await trader.data(f"mutation {{ updateWebhook(input: {{webhookId: {webhook_id}, active: true}}) {{ state }} }}")
        await eventually(lambda: len(hook.requests) == 2)
    assert len(set(hook.ids)) == 1  # nothing is lost


async def _state(client: GraphClient, webhook_id: int) -> str:
    return str((await client.data(STATE, id=webhook_id))["webhook"]["state"])


async def test_webhook_fails_once_an_event_is_older_than_the_retention(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    hook.statuses = [500]
    await add(platform, Order, order(1001, 1, TRADER))
    async with platform.transaction() as connection:
        await connection.execute(text("UPDATE fullon_graphql.changes SET at = now() - interval '73 hours'"))
    async with deliver():
        await eventually_equal(lambda: _state(trader, webhook_id), "FAILED")
    reason = (await trader.data(STATE, id=webhook_id))["webhook"]["reason"]
    assert reason == "An event of 72 hours ago could not be delivered. The answer was 500, not 2xx."


async def test_webhook_fails_if_its_events_are_no_longer_stored(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    await add(platform, Order, order(1001, 1, TRADER))
    await prune(platform, -1, await edge(platform))
    async with deliver():
        await eventually_equal(lambda: _state(trader, webhook_id), "FAILED")
    assert hook.requests == []
    assert (await trader.data(STATE, id=webhook_id))["webhook"]["reason"] == (
        "Events that it missed are no longer stored."
    )


async def test_webhook_fails_after_repeated_errors_of_ours_and_others_do_not(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader, original = graph.as_(principal(TRADER)), streams.body_of
    webhook_id, _ = await create(trader, hook.url, "ORDERS")
    await create(trader, hook.url, "BOTS")

    async def body_of(database: Database, change: Change, *arguments: Any) -> bytes:
        if change.entity == "orders":
            raise ValueError("a value that cannot be sent")
        return await original(database, change, *arguments)

    monkeypatch.setattr(streams, "body_of", body_of)
    await add(platform, Order, order(1001, 1, TRADER))
    async with deliver():
        await eventually_equal(lambda: _state(trader, webhook_id), "FAILED")
        async with platform.transaction() as connection:
            await connection.execute(update(Bot).where(Bot.bot_id == 1).values(name="renamed"))
        await eventually(lambda: hook.requests)
    assert hook.types == ["bots.updated"]
    assert (await trader.data(STATE, id=webhook_id))["webhook"]["reason"] == (
        "An event could not be delivered. The server has an error of its own, and cannot send it."
        " Its log has the error (`webhook.interrupted`)."
    )


async def test_test_event_fails_by_an_error_of_ours(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    monkeypatch.setattr(signing, "sign", lambda *_: 1 / 0)
    await trader.data(f"mutation {{ testWebhook(webhookId: {webhook_id}) {{ outcome }} }}")
    async with deliver():
        await eventually_equal(lambda: _outcomes(trader, webhook_id), ["FAILED"])
    assert hook.requests == []


async def test_webhook_that_is_disabled_and_activated_between_two_refreshes_continues(
    graph: GraphClient, platform: Database, hook: Endpoint, settings: Settings
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    hook.statuses = [410, 200]
    await add(platform, Order, order(1001, 1, TRADER))
    tasks = BackgroundTasks()
    async with ChangeFeed(platform, graph.worker.redis, 5, tasks) as changes:
        delivering = WebhookDeliverer(platform, settings, Metrics(), changes, refresh_seconds=0.5)
        async with tasks.running({"webhooks": delivering.run}):
            await eventually_equal(lambda: _state(trader, webhook_id), "DISABLED")
            await trader.data(
                f"mutation {{ updateWebhook(input: {{webhookId: {webhook_id}, active: true}}) {{ state }} }}"
            )
            await eventually(lambda: len(hook.requests) == 2)
    assert len(set(hook.ids)) == 1


async def test_cursor_of_a_webhook_without_events_advances_with_the_feed(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    webhook_id, _ = await create(graph.as_(principal(TRADER)), hook.url)
    before = await stored(platform, webhook_id)
    await add(platform, Order, order(1001, 6, OTHER))
    async with deliver():
        after = await eventually(lambda: _moved(platform, webhook_id, before))
    assert (after.cursor_xid, after.cursor_seq) > (before.cursor_xid, before.cursor_seq)


async def _moved(database: Database, webhook_id: int, before: Any) -> Any:
    row = await stored(database, webhook_id)
    return row if (row.cursor_xid, row.cursor_seq) != (before.cursor_xid, before.cursor_seq) else None


async def test_nothing_is_sent_for_a_user_who_is_not_active(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    await create(graph.as_(principal(TRADER)), hook.url)
    async with deliver() as metrics:
        await eventually(lambda: b"fullon_graphql_webhooks 1.0" in metrics.text())
        await set_active(platform, False)
        await eventually(lambda: b"fullon_graphql_webhooks 0.0" in metrics.text())
        await add(platform, Order, order(1001, 1, TRADER))
        assert hook.requests == []
        await set_active(platform, True)
        await eventually(lambda: hook.requests)


async def set_active(database: Database, active: bool) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(User).where(User.uid == TRADER).values(active=active))


async def test_administrator_who_becomes_a_user_receives_own_events_only(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    await create(graph.as_(principal(ADMIN, admin=True)), hook.url, "ORDERS", "AUDIT_LOG")
    async with platform.transaction() as connection:
        await connection.execute(update(User).where(User.uid == ADMIN).values(role="USER"))
        await connection.execute(delete(AuditEntry))
    await add(platform, Order, order(1001, 1, TRADER), order(1002, 1, ADMIN))
    async with deliver():
        await eventually(lambda: hook.requests)
    assert [request.event["data"]["key"] for request in hook.requests] == [{"order_id": 1002}]


async def test_slow_endpoint_delays_no_other(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    async with endpoint() as slow:
        slow.may_answer.clear()
        await create(trader, slow.url.replace("127.0.0.1", "localhost"))
        await create(trader, hook.url)
        async with deliver():
            for number in range(1001, 1021):
                await add(platform, Order, order(number, 1, TRADER))
            await eventually(lambda: len(hook.requests) == 20)
            assert len(slow.requests) == 1


async def test_requests_to_one_host_are_bounded(
    graph: GraphClient, platform: Database, settings: Settings, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    for _ in range(settings.webhook_requests_per_host + 2):
        await create(trader, hook.url)
    hook.may_answer.clear()
    await add(platform, Order, order(1001, 1, TRADER))
    async with deliver() as metrics:
        await eventually(lambda: b"fullon_graphql_webhooks 6.0" in metrics.text())
        await eventually(lambda: len(hook.requests) == settings.webhook_requests_per_host)
        hook.may_answer.set()
        await eventually(lambda: len(hook.requests) == settings.webhook_requests_per_host + 2)


async def test_paused_webhook_continues_after_the_last_delivered_event(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    update_ = "mutation ($active: Boolean!) {{ updateWebhook(input: {{webhookId: {}, active: $active}}) {{ state }} }}"
    async with deliver() as metrics:
        await trader.data(update_.format(webhook_id), active=False)
        await eventually(lambda: b"fullon_graphql_webhooks 0.0" in metrics.text())
        await add(platform, Order, order(1001, 1, TRADER))
        await trader.data(update_.format(webhook_id), active=True)
        await eventually(lambda: hook.requests)


async def test_rotated_secret_signs_the_next_request(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, old = await create(trader, hook.url)
    rotate = f"mutation {{ rotateWebhookSecret(webhookId: {webhook_id}) {{ secret }} }}"
    new = (await trader.data(rotate))["rotateWebhookSecret"]["secret"]
    assert new != old
    async with deliver():
        await add(platform, Order, order(1001, 1, TRADER))
        await eventually(lambda: hook.requests)
    assert is_signed(hook.requests[0], new)
    assert not is_signed(hook.requests[0], old)


async def test_test_event_is_sent_to_a_paused_webhook_too(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, secret = await create(trader, hook.url)
    await trader.data(f"mutation {{ updateWebhook(input: {{webhookId: {webhook_id}, active: false}}) {{ state }} }}")
    test = f"mutation {{ testWebhook(webhookId: {webhook_id}) {{ eventId outcome }} }}"
    requested = (await trader.data(test))["testWebhook"]
    assert requested["outcome"] == "PENDING"
    assert (await trader.ask(test)).codes == ["CONFLICT"]
    async with deliver():
        await eventually_equal(lambda: _outcomes(trader, webhook_id), ["DELIVERED"])
    [request] = hook.requests
    assert (request.id, request.event["type"], request.event["data"]) == (requested["eventId"], "webhook.test", None)
    assert is_signed(request, secret)


async def test_private_network_is_refused_at_creation_and_at_delivery(
    graph: GraphClient, platform: Database, hook: Endpoint, settings: Settings
) -> None:
    trader = graph.as_(principal(TRADER))
    webhook_id, _ = await create(trader, hook.url)
    async with platform.transaction() as connection:  # as if the name resolved differently now
        await connection.execute(update(Webhook).values(url=hook.url.replace("http:", "https:")))
    await add(platform, Order, order(1001, 1, TRADER))
    strict = settings.model_copy(update={"webhook_private_networks": False})
    tasks = BackgroundTasks()
    async with ChangeFeed(platform, graph.worker.redis, 5, tasks) as changes:
        deliverer = WebhookDeliverer(platform, strict, Metrics(), changes)
        async with tasks.running({"webhooks": deliverer.run}):
            [entry] = await eventually(lambda: entries(trader, webhook_id))
    assert entry["error"] == "The host is in a private network, and WEBHOOK_PRIVATE_NETWORKS is false."
    assert hook.requests == []


async def test_log_keeps_the_newest_entries_of_each_webhook(
    graph: GraphClient, platform: Database, hook: Endpoint, settings: Settings, deliver: Deliver
) -> None:
    trader = graph.as_(principal(TRADER))
    first, _ = await create(trader, hook.url)
    second, _ = await create(trader, hook.url)
    entry = {"event_id": "x", "event_type": "orders.created", "attempt": 1, "outcome": "DELIVERED"}
    await add(platform, WebhookDelivery, *({"webhook_id": first, **entry} for _ in range(1_005)))
    await add(platform, WebhookDelivery, {"webhook_id": second, **entry})
    async with deliver():
        expected = {first: settings.webhook_log_entries, second: 1}
        await eventually_equal(lambda: _entries_of(platform, first, second), expected)


async def _entries_of(database: Database, *webhook_ids: int) -> dict[int, int]:
    counted = text("SELECT webhook_id, count(*) AS entries FROM fullon_graphql.webhook_deliveries GROUP BY 1")
    return {row.webhook_id: row.entries for row in await database.rows(counted) if row.webhook_id in webhook_ids}


async def test_second_deliverer_stands_by(
    graph: GraphClient, platform: Database, hook: Endpoint, deliver: Deliver
) -> None:
    await create(graph.as_(principal(TRADER)), hook.url)
    async with deliver() as first, deliver() as second:
        await eventually(lambda: b"fullon_graphql_webhooks 1.0" in first.text() + second.text())
        await add(platform, Order, *(order(number, 1, TRADER) for number in range(1001, 1011)))
        await eventually(lambda: len(hook.requests) == 10)
        await asyncio.sleep(0)
    assert len(set(hook.ids)) == 10
