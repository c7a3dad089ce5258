from __future__ import annotations

import asyncio
import re

import asyncpg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner, Result

import fullon_graphql.graph  # noqa: F401  # declares the relations
from fullon_graphql.cli.db import app
from fullon_graphql.config import Settings
from fullon_graphql.engine.model.access_paths import access_paths
from fullon_graphql.models import doctor, index_advice
from fullon_graphql.models.migrate import create_databases, upgrade
from tests.fixtures.temporary_databases import absent_database, execute, fetch

Environment = dict[str, str]


def test_init_creates_both_databases_and_every_table(settings: Settings, environment: Environment) -> None:
    with absent_database(settings) as url, absent_database(settings) as ohlcv_url:
        done = _db("init", environment | {"DATABASE_URL": url, "OHLCV_DATABASE_URL": ohlcv_url})

        assert done.exit_code == 0, done.stderr
        assert done.stdout.splitlines() == [
            f"Created database {make_url(url).database}.",
            f"Created database {make_url(ohlcv_url).database}.",
            "The tables are up to date.",
        ]
        assert doctor.inspect(url) == []
        assert fetch(ohlcv_url, "SELECT 1")


def test_init_alters_no_existing_table(environment: Environment) -> None:
    done = _db("init", environment)

    assert (done.exit_code, done.stdout) == (0, "The tables are up to date.\n")


def test_upgrade_migrates_an_existing_database(settings: Settings, environment: Environment) -> None:
    with absent_database(settings) as url:
        create_databases(url)

        assert _db("upgrade", environment | {"DATABASE_URL": url}).exit_code == 0
        assert doctor.inspect(url) == []


def test_doctor_accepts_a_migrated_database(environment: Environment) -> None:
    done = _db("doctor", environment)

    assert (done.exit_code, done.stdout) == (0, "The database is as expected.\n")


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("ALTER TABLE users ADD nickname text", 0, "harmless users.nickname"),
        ("DROP INDEX uid_ex_id", 0, "degrades orders"),
        ("DROP TRIGGER fullon_graphql_changes ON orders", 0, "degrades orders has no change trigger"),
        ("ALTER TABLE orders DROP leverage", 1, "breaks orders.leverage"),
    ],
)
def test_doctor_fails_only_on_breaking_differences(
    settings: Settings, environment: Environment, statement: str, code: int, words: str
) -> None:
    with absent_database(settings) as url:
        create_databases(url)
        upgrade(url)
        execute(url, statement)

        done = _db("doctor", environment | {"DATABASE_URL": url})

    assert done.exit_code == code, done.stderr
    assert words in " ".join(done.stdout.replace("│", " ").split())


BUSY = """INSERT INTO orders (bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, status, reason)
    SELECT least(n / 600, 13), n, n, n, 'kraken', 'S' || n, 'limit', 'buy', 1, 'Open', ''
    FROM generate_series(1, 9000) AS n"""
"""9000 orders; the last bot has 1201 of them, each other bot half as many."""


def test_advise_measures_a_missing_index_and_creates_it_on_request(
    settings: Settings, environment: Environment
) -> None:
    with absent_database(settings) as url:
        create_databases(url)
        upgrade(url)
        execute(url, "DROP INDEX orders_bot_id_order_id_idx", BUSY, "ANALYZE orders")
        before = fetch(url, "SELECT indexdef FROM pg_indexes ORDER BY 1")

        hint = _db("doctor", environment | {"DATABASE_URL": url})
        advice = _db("advise", environment | {"DATABASE_URL": url})
        assert fetch(url, "SELECT indexdef FROM pg_indexes ORDER BY 1") == before
        created = _db("advise --apply", environment | {"DATABASE_URL": url})
        again = _db("advise", environment | {"DATABASE_URL": url})

    statement = (
        'CREATE INDEX CONCURRENTLY IF NOT EXISTS "orders_bot_id_order_id_idx" ON "orders" ("bot_id", "order_id");'
    )
    assert (hint.exit_code, hint.stdout.splitlines()[1]) == (0, f"Hint: {statement}")
    proposed, gain = advice.stdout.splitlines()
    assert proposed == statement, advice.stderr
    found = re.fullmatch(
        r"  -- a page of 50 of 1201 rows of Bot\.orders takes ([\d.]+) ms, and ([\d.]+) ms with the index \(measured\)",
        gain,
    )
    assert found, gain
    assert float(found[1]) > float(found[2])
    assert created.stdout.splitlines()[-1] == "Created: 1.", created.stderr
    assert (again.exit_code, again.stdout) == (0, "No index is missing.\n")


def test_our_own_databases_lack_no_index(settings: Settings) -> None:
    with absent_database(settings) as url:
        create_databases(url)
        upgrade(url)
        paths = access_paths()
        assert "Bot.orders" in {path.field for path in paths}
        assert index_advice.advise(url, paths, measure=False, fewest_rows=0) == []


def test_gain_is_estimated_if_the_table_is_large(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_advice, "MOST_BYTES", 1000)
    with absent_database(settings) as url:
        create_databases(url)
        upgrade(url)
        execute(url, "DROP INDEX orders_bot_id_order_id_idx", BUSY, "ANALYZE orders")
        [proposal] = index_advice.advise(url, access_paths())
    assert proposal.is_estimated
    assert proposal.gain.endswith("(estimated)")


def test_install_feed_reports_the_installed_triggers(settings: Settings, environment: Environment) -> None:
    with absent_database(settings) as url:
        create_databases(url)
        execute(url, "CREATE TABLE orders (order_id serial PRIMARY KEY, uid int)")

        first, second = (_db("install-feed", environment | {"DATABASE_URL": url}) for _ in range(2))

    assert (first.exit_code, first.stdout) == (0, "Changes of public.orders are recorded.\n"), first.stderr
    assert (second.exit_code, second.stdout) == (
        0,
        "The change feed is already installed.\n",
    )


def test_install_feed_gives_up_behind_a_long_transaction(settings: Settings, environment: Environment) -> None:
    async def installing_while_somebody_writes(url: str) -> Result:
        writer = await asyncpg.connect(url)
        try:
            await writer.execute("BEGIN; LOCK TABLE orders IN ROW EXCLUSIVE MODE")
            return await asyncio.to_thread(_db, "install-feed", environment | {"DATABASE_URL": url})
        finally:
            await writer.close()

    with absent_database(settings) as url:
        create_databases(url)
        execute(url, "CREATE TABLE orders (order_id serial PRIMARY KEY, uid int)")
        upgrade(url)
        done = asyncio.run(installing_while_somebody_writes(url))

    assert done.exit_code == 1
    assert "lock timeout" in done.stderr


def test_url_is_accepted_by_other_programs(environment: Environment) -> None:
    addresses = {
        "DATABASE_URL": "postgresql+asyncpg://me:p%40ss@db:5433/one",
        "OHLCV_DATABASE_URL": "postgresql://me@db/two",
    }

    assert _db("url", environment | addresses).stdout == "postgresql://me:p%40ss@db:5433/one\n"
    assert _db("url --ohlcv", environment | addresses).stdout == "postgresql://me@db/two\n"


@pytest.mark.parametrize("command", ["init", "upgrade", "doctor", "advise", "install-feed"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me:hidden@127.0.0.1:1/x", "Connect call failed"),
        ("not an address", "Could not parse"),
    ],
)
def test_unreachable_database_is_one_line_and_exit_code_1(
    environment: Environment, command: str, url: str, reason: str
) -> None:
    done = _db(command, environment | {"DATABASE_URL": url})

    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert reason in done.stderr
    assert "hidden" not in done.stderr


def test_missing_database_is_named(settings: Settings, environment: Environment) -> None:
    with absent_database(settings) as url:
        done = _db("doctor", environment | {"DATABASE_URL": url})

        assert done.exit_code == 1
        assert f'database "{make_url(url).database}" does not exist' in done.stderr


def _db(arguments: str, environment: Environment) -> Result:
    return CliRunner().invoke(app, arguments, env=environment | {"COLUMNS": "250"})
