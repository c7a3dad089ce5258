"""The triggers record changes and never break a writer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from fullon_graphql.config import Settings
from fullon_graphql.models import doctor, triggers
from fullon_graphql.models.migrate import create_databases, install_feed, upgrade
from tests.fixtures.temporary_databases import absent_database, execute, fetch

USER = (
    "INSERT INTO users (uid, mail, password, f2a, role, name, lastname, phone, id_num) "
    "VALUES ({uid}, 'user{uid}', '', '', 'USER', '', '', '', '')"
)
BOT = "INSERT INTO bots (bot_id, uid, name) VALUES (7, 2, 'bot')"
ORDER = (
    "INSERT INTO orders (order_id, bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, status, "
    "reason) VALUES ({order_id}, 7, 2, 1, 1, 'kraken', 'BTC/USD', 'limit', 'buy', 1, 'New', '')"
)
LOG = (
    "INSERT INTO bot_log (bot_id, feed_num, ex_id, symbol, position, message, timestamp) "
    "VALUES (7, 1, 1, 'BTC/USD', 1.50, 'it''s \"up\"', '2026-01-31 12:00:00.5+01')"
)
TRADE = (
    "INSERT INTO trades (trade_id, ex_trade_id, ex_order_id, uid, ex_id, symbol, order_type, side, volume, price, cost, "
    "fee) VALUES (1, 't', 'o', 2, 1, 'BTC/USD', 'limit', 'Buy', 1, 1, 1, 0)"
)
DRY_TRADE = (
    "INSERT INTO dry_trades (trade_id, bot_id, uid, ex_id, symbol, side, volume, price, cost, fee) "
    "VALUES (1, 7, 2, 1, 'BTC/USD', 'buy', 1, 1, 1, 0)"
)


KEYS = {model.__tablename__: triggers.integer_key(model) for model in triggers.WATCHED}


def recorded(url: str, entity: str) -> list[tuple[Any, ...]]:
    """The changes of one table in the feed: operation, key, owner and bot."""
    rows = fetch(url, "SELECT * FROM fullon_graphql.changes ORDER BY xid, seq")
    return [
        (
            row["operation"],
            orjson.loads(row["key"]) if row["key"] else {KEYS[entity]: row["id"]},
            row["uid"],
            row["bot_id"],
        )
        for row in rows
        if row["entity"] == entity
    ]


@pytest.fixture
def url(settings: Settings) -> str:
    """The address of this worker's own database."""
    return settings.database_url


def test_every_change_of_a_row_is_recorded_with_its_owner(url: str) -> None:
    execute(url, ORDER.format(order_id=1), "UPDATE orders SET status = 'open'", "DELETE FROM orders")

    assert recorded(url, "orders") == [(kind, {"order_id": 1}, 2, 7) for kind in ("CREATED", "UPDATED", "DELETED")]


def test_every_row_of_a_statement_is_recorded(url: str) -> None:
    execute(url, *(ORDER.format(order_id=number) for number in (1, 2, 3)), "UPDATE orders SET status = 'open'")

    assert sorted(key["order_id"] for kind, key, *_ in recorded(url, "orders") if kind == "UPDATED") == [1, 2, 3]


def test_trades_and_simulated_trades_are_recorded(url: str) -> None:
    execute(url, TRADE, DRY_TRADE)

    assert recorded(url, "trades") == [("CREATED", {"trade_id": 1}, 2, None)]
    assert recorded(url, "dry_trades") == [("CREATED", {"trade_id": 1}, 2, 7)]


def test_log_line_belongs_to_the_owner_of_the_bot(url: str) -> None:
    execute(url, USER.format(uid=2), BOT, LOG)

    [(kind, key, uid, bot_id)] = recorded(url, "bot_log")
    assert (kind, uid, bot_id) == ("CREATED", 2, 7)
    assert key == {
        "bot_id": 7, "feed_num": 1, "ex_id": 1, "symbol": "BTC/USD", "position": 1.5, "message": 'it\'s "up"',
        "timestamp": "2026-01-31T11:00:00.5+00:00",
    }  # fmt: skip


@pytest.mark.parametrize("statement", ["DELETE FROM bots", "DELETE FROM users"])
def test_log_line_deleted_with_its_bot_has_its_owner(url: str, statement: str) -> None:
    execute(url, USER.format(uid=2), BOT, LOG, statement)

    assert [(kind, uid) for kind, _, uid, _ in recorded(url, "bot_log")] == [("CREATED", 2), ("DELETED", 2)]


@pytest.mark.parametrize("change", ["uid = 3", "bot_id = 8", "order_id = 9"])
def test_row_with_a_new_owner_or_key_is_deleted_and_created(url: str, change: str) -> None:
    execute(url, ORDER.format(order_id=1), f"UPDATE orders SET {change}")

    created, deleted, created_again = recorded(url, "orders")
    assert (created[0], deleted[0], created_again[0]) == ("CREATED", "DELETED", "CREATED")
    assert deleted[1:] == created[1:] != created_again[1:]


def test_change_that_is_rolled_back_is_not_recorded(url: str) -> None:
    execute(url, "BEGIN", ORDER.format(order_id=1), "ROLLBACK")
    execute(
        url, "BEGIN", "SAVEPOINT one", ORDER.format(order_id=2), "ROLLBACK TO one", ORDER.format(order_id=3), "COMMIT"
    )

    assert [key for _, key, *_ in recorded(url, "orders")] == [{"order_id": 3}]


def test_transaction_has_one_number_for_all_its_savepoints(url: str) -> None:
    execute(url, "BEGIN", ORDER.format(order_id=1), "SAVEPOINT one", ORDER.format(order_id=2), "COMMIT")

    assert len(fetch(url, "SELECT DISTINCT xid FROM fullon_graphql.changes")) == 1


def test_row_change_does_not_notify(url: str) -> None:
    """`pg_notify` in a writer's transaction would serialise the commits of the whole server."""
    functions = fetch(
        url,
        "SELECT proname FROM pg_proc WHERE pronamespace = 'fullon_graphql'::regnamespace AND prosrc LIKE '%pg_notify%'",
    )

    assert [row["proname"] for row in functions] == ["note_credential"]


FORGERIES = [
    ["INSERT INTO fullon_graphql.changes (entity, operation, id) VALUES ('orders', 'CREATED', 1)"],
    [
        "CREATE TEMPORARY TABLE forged (uid int)",
        "CREATE TRIGGER t AFTER INSERT ON forged FOR EACH ROW EXECUTE FUNCTION fullon_graphql.record_orders_change()",
    ],
]


@pytest.fixture
def writer(url: str) -> Iterator[str]:
    """A role that may only insert orders."""
    role = f"writer_{uuid4().hex}"  # roles belong to the whole server
    execute(url, f"CREATE ROLE {role}", f"GRANT INSERT ON orders TO {role}")
    yield role
    execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_writer_needs_no_right_on_the_feed(url: str, writer: str) -> None:
    execute(
        url, f"SET ROLE {writer}", "SET search_path = ''", ORDER.replace("orders", "public.orders").format(order_id=1)
    )

    assert len(recorded(url, "orders")) == 1


@pytest.mark.parametrize("statements", FORGERIES, ids=["by hand", "by a trigger"])
def test_writer_cannot_forge_a_change(url: str, writer: str, statements: list[str]) -> None:
    execute(url, f"GRANT USAGE ON SCHEMA fullon_graphql TO {writer}")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        execute(url, f"SET ROLE {writer}", *statements)


def test_missing_or_additional_columns_break_no_writer(migrated_database: str) -> None:
    execute(
        migrated_database,
        "ALTER TABLE orders DROP uid, DROP bot_id, ADD anything text",
        "INSERT INTO orders (order_id, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, status, reason) "
        "VALUES (1, 1, 1, 'kraken', 'BTC/USD', 'limit', 'buy', 1, 'New', '')",
    )

    assert recorded(migrated_database, "orders") == [("CREATED", {"order_id": 1}, None, None)]


KEY = "INSERT INTO api_keys (api_key_id, uid, key, name, scopes) VALUES (1, 2, 'k', '', '')"
SESSION = "INSERT INTO fullon_graphql.sessions (uid, refresh_hash, expires_at) VALUES ({uid}, '', now() + '1 day')"


@pytest.mark.parametrize(
    ("statement", "notified"),
    [
        ("UPDATE users SET active = false", ["2"]),
        ("UPDATE users SET name = name", []),
        ("DELETE FROM users WHERE uid = 2", ["2"]),
        (USER.format(uid=3), []),
        ("UPDATE api_keys SET scopes = 'admin'", ["2"]),
        ("UPDATE api_keys SET last_used_at = now()", []),
        ("DELETE FROM api_keys", ["2"]),
    ],
)
async def test_notification_names_the_account_whose_credentials_changed(
    url: str, statement: str, notified: list[str]
) -> None:
    await asyncio.to_thread(execute, url, USER.format(uid=2), KEY)
    listener = await asyncpg.connect(url)
    received: asyncio.Queue[str] = asyncio.Queue()
    try:
        await listener.add_listener(triggers.CREDENTIALS_CHANNEL, lambda *args: received.put_nowait(args[-1]))
        await listener.execute(statement)
        await listener.execute(f"NOTIFY {triggers.CREDENTIALS_CHANNEL}, 'end'")
        async with asyncio.timeout(20):
            found = [await received.get()]
            while found[-1] != "end":
                found.append(await received.get())
    finally:
        await listener.close()
    assert found[:-1] == notified


def test_password_changed_by_another_program_ends_the_sessions_of_its_account(url: str) -> None:
    execute(url, *(statement.format(uid=uid) for uid in (2, 3) for statement in (USER, SESSION)))
    ended = "SELECT uid FROM fullon_graphql.sessions WHERE reason = 'password changed'"

    execute(url, "UPDATE users SET active = false", "SET application_name = 'fullon_graphql:app'",
            "UPDATE users SET password = 'ours' WHERE uid = 3")  # fmt: skip
    assert fetch(url, ended) == []
    execute(url, "UPDATE users SET password = 'theirs' WHERE uid = 2")
    assert [row["uid"] for row in fetch(url, ended)] == [2]


def test_existing_tables_get_a_trigger_only_by_install_feed(settings: Settings) -> None:
    with absent_database(settings) as database:
        create_databases(database)
        execute(database, "CREATE TABLE orders (order_id serial PRIMARY KEY, uid int)")
        upgrade(database)
        assert unwatched(database) == ["orders"]

        assert install_feed(database) == ["public.orders"]
        assert unwatched(database) == []
        assert install_feed(database) == []

        execute(database, "INSERT INTO orders (uid) VALUES (2)")
        assert recorded(database, "orders") == [("CREATED", {"order_id": 1}, 2, None)]


@pytest.mark.parametrize("loss", ["DROP TRIGGER {}", "ALTER TABLE trades DISABLE TRIGGER {}"])
def test_missing_or_disabled_trigger_is_reported_and_repaired(migrated_database: str, loss: str) -> None:
    loss = loss.format(triggers.TRIGGER) + (" ON trades" if loss.startswith("DROP") else "")
    execute(migrated_database, loss)
    assert unwatched(migrated_database) == ["trades"]

    install_feed(migrated_database)

    assert unwatched(migrated_database) == []


def test_outdated_trigger_records_until_it_is_renewed(migrated_database: str) -> None:
    url = migrated_database
    execute(
        url,
        f"CREATE OR REPLACE TRIGGER {triggers.TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON orders "
        "FOR EACH ROW EXECUTE FUNCTION fullon_graphql.note_change('order_id')",
        ORDER.format(order_id=1),
    )
    assert [found.where for found in doctor.inspect(url) if "older version" in found.what] == ["orders"]

    assert install_feed(url) == ["public.orders"]
    execute(url, ORDER.format(order_id=2), "UPDATE orders SET uid = 3 WHERE order_id = 1")

    assert recorded(url, "orders") == [
        ("CREATED", {"order_id": 1}, 2, 7), ("CREATED", {"order_id": 2}, 2, 7),
        ("DELETED", {"order_id": 1}, 2, 7), ("CREATED", {"order_id": 1}, 3, 7),
    ]  # fmt: skip
    assert install_feed(url) == []


def test_rows_from_replication_are_recorded_on_request(migrated_database: str) -> None:
    url = migrated_database
    as_applied = "SET session_replication_role = replica"  # as the worker of a logical subscription writes
    execute(url, USER.format(uid=2), SESSION.format(uid=2), as_applied, ORDER.format(order_id=1))
    assert recorded(url, "orders") == []

    assert set(install_feed(url, replicated=True)) == set(triggers.FUNCTIONS)
    execute(url, as_applied, ORDER.format(order_id=2), "UPDATE users SET password = 'new' WHERE uid = 2")

    assert recorded(url, "orders") == [("CREATED", {"order_id": 2}, 2, 7)]
    [session] = fetch(url, "SELECT reason FROM fullon_graphql.sessions")
    assert session["reason"] == "password changed"
    upgrade(url)
    assert install_feed(url, replicated=True) == []


def unwatched(url: str) -> list[str]:
    """The tables without a change trigger, as the doctor reports them."""
    return [found.where for found in doctor.inspect(url) if found.what == "has no change trigger"]
