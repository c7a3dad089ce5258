from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from fullon_graphql.config import Settings
from fullon_graphql.models.doctor import Difference, Severity, examine, inspect
from fullon_graphql.models.migrate import connect
from tests.fixtures.temporary_databases import fetch

Examine = Callable[..., list[Difference]]

BREAKS, DEGRADES, HARMLESS = Severity

PLANTED = [
    ("DROP TABLE feeds", BREAKS, "feeds", "table is missing"),
    ("CREATE TABLE notes (id int)", HARMLESS, "notes", "table is unknown here"),
    ("ALTER TABLE orders DROP leverage", BREAKS, "orders.leverage", "column is missing"),
    ("ALTER TABLE users DROP external_id", BREAKS, "users.external_id", "column is missing"),
    ("ALTER TABLE users ADD nickname text", HARMLESS, "users.nickname", "column is unknown here"),
    ("ALTER TABLE users ADD nick text NOT NULL DEFAULT ''", HARMLESS, "users.nick", "column is unknown here"),
    ("ALTER TABLE users ADD nick text NOT NULL", BREAKS, "users.nick", "column is unknown here, and required"),
    ("INSERT INTO cat_exchanges (cat_ex_id, name) VALUES (7, 'kraken')", BREAKS, "cat_exchanges.cat_ex_id", "sequence public.cat_exchanges_cat_ex_id_seq is behind"),  # a line per case
    (
        "WITH exchange AS (INSERT INTO cat_exchanges (name) VALUES ('kraken') RETURNING cat_ex_id) INSERT INTO symbols"
        " (symbol, cat_ex_id, base) SELECT unnest('{kPEPE/USD,KPEPE-USD,BTC/USD}'::text[]), cat_ex_id, '' FROM exchange",
        BREAKS,
        "symbols.symbol",
        "symbols of one exchange have the same candle tables: 'KPEPE-USD, kPEPE/USD'",
    ),
    # types
    ("ALTER TABLE users ALTER password TYPE varchar(255)", HARMLESS, "users.password", "is VARCHAR(255)"),
    ("ALTER TABLE users ALTER password TYPE varchar(60)", HARMLESS, "users.password", "is VARCHAR(60)"),
    ("ALTER TABLE users ALTER password TYPE varchar(59)", BREAKS, "users.password", "is VARCHAR(59)"),
    ("ALTER TABLE api_keys ALTER key TYPE varchar(64)", BREAKS, "api_keys.key", "is VARCHAR(64)"),
    ("ALTER TABLE symbols ALTER base TYPE text", HARMLESS, "symbols.base", "is TEXT"),
    ("ALTER TABLE symbols ALTER base TYPE varchar(4)", DEGRADES, "symbols.base", "is VARCHAR(4)"),
    ("ALTER TABLE symbols ALTER base TYPE char(6)", DEGRADES, "symbols.base", "is CHAR(6)"),
    ("ALTER TABLE orders ALTER bot_id TYPE bigint", DEGRADES, "orders.bot_id", "is BIGINT"),
    ("ALTER TABLE feeds ALTER compression TYPE integer", HARMLESS, "feeds.compression", "is INTEGER"),
    ("ALTER TABLE orders ALTER bot_id TYPE smallint", DEGRADES, "orders.bot_id", "is SMALLINT"),
    ("ALTER TABLE orders ALTER price TYPE numeric", HARMLESS, "orders.price", "is NUMERIC"),
    ("ALTER TABLE orders ALTER price TYPE numeric(10, 2)", DEGRADES, "orders.price", "is NUMERIC(10, 2)"),
    ("ALTER TABLE orders ALTER price TYPE real", DEGRADES, "orders.price", "is REAL"),
    ("ALTER TABLE orders ALTER timestamp TYPE timestamptz", HARMLESS, "orders.timestamp", "is TIMESTAMP WITH TIME"),
    ("ALTER TABLE simulations ALTER json TYPE jsonb", HARMLESS, "simulations.json", "is JSONB"),
    ("ALTER TABLE orders ALTER uid TYPE text", BREAKS, "orders.uid", "is TEXT, expected INTEGER"),
    ("ALTER TABLE users ALTER note TYPE point USING NULL", BREAKS, "users.note", "is of an unknown type"),
    # nulls and defaults
    ("ALTER TABLE orders ALTER symbol DROP NOT NULL", DEGRADES, "orders.symbol", "may be null"),
    ("ALTER TABLE orders ALTER price SET NOT NULL", DEGRADES, "orders.price", "may not be null"),
    ("ALTER TABLE bots ALTER timestamp DROP DEFAULT", BREAKS, "bots.timestamp", "has no default"),
    ("ALTER TABLE bots ALTER bot_id DROP DEFAULT", BREAKS, "bots.bot_id", "has no default"),
    ("ALTER TABLE bots ALTER dry_run DROP DEFAULT", DEGRADES, "bots.dry_run", "has no default"),
    ("ALTER TABLE bots ALTER dry_run SET DEFAULT true", HARMLESS, "bots.dry_run", "default is true, expected false"),
    ("ALTER TABLE users ALTER role SET DEFAULT 'USER'", HARMLESS, "users.role", "default is user, expected none"),
    # keys and indexes
    ("ALTER TABLE users DROP CONSTRAINT unique_mail", DEGRADES, "users", "(mail) is not unique"),
    ("ALTER TABLE orders DROP CONSTRAINT orders_pk", DEGRADES, "orders", "(order_id) is not unique"),
    ("ALTER TABLE bots DROP CONSTRAINT bots_uid_fkey", DEGRADES, "bots", "no foreign key from uid to users.uid"),
    (
        "ALTER TABLE orders ADD FOREIGN KEY (bot_id) REFERENCES bots (bot_id)",
        DEGRADES, "orders", "foreign key from bot_id to bots.bot_id, unknown here",
    ),
    ("DROP INDEX uid_ex_id", DEGRADES, "orders", "no index on (uid, ex_id, status)"),
    ("DROP INDEX fullon_graphql.sessions_uid_idx", DEGRADES, "fullon_graphql.sessions", "no index on (uid)"),
]  # fmt: skip

VARIANTS = [
    pytest.param(["ALTER TABLE users RENAME CONSTRAINT unique_mail TO users_mail_key"], id="another name of a key"),
    pytest.param(
        ["ALTER TABLE users DROP CONSTRAINT unique_mail", "CREATE UNIQUE INDEX ON users (mail)"],
        id="a unique index for a unique constraint",
    ),
    pytest.param(
        [
            "ALTER TABLE strategies_params DROP CONSTRAINT strategies_params_str_id_name_key",
            "ALTER TABLE strategies_params ADD PRIMARY KEY (str_id, name)",
        ],
        id="a primary key for a unique constraint",
    ),
    pytest.param(
        ["DROP INDEX uid_ex_id", "CREATE INDEX ON orders (uid, ex_id, status, symbol)"], id="an index on more columns"
    ),
    pytest.param(
        ["ALTER TABLE bots ALTER bot_id DROP DEFAULT, ALTER bot_id ADD GENERATED ALWAYS AS IDENTITY"],
        id="an identity for a serial",
    ),
    pytest.param(
        ["ALTER TABLE bot_log ALTER timestamp SET DEFAULT now()"], id="another spelling of a default"
    ),
]  # fmt: skip


@pytest.fixture
def examine_after(settings: Settings) -> Examine:
    """The differences that the doctor finds after some statements, which are rolled back."""

    async def examined(statements: tuple[str, ...]) -> list[Difference]:
        async with connect(settings.database_url) as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)
            return await connection.run_sync(examine)

    return lambda *statements: asyncio.run(examined(statements))


def test_migrated_database_has_no_differences(migrated_database: str) -> None:
    assert inspect(migrated_database) == []


@pytest.mark.parametrize(("statement", "severity", "where", "what"), PLANTED, ids=[planted[0] for planted in PLANTED])
def test_planted_difference_is_found(
    examine_after: Examine, statement: str, severity: Severity, where: str, what: str
) -> None:
    (found,) = (each for each in examine_after(statement) if each.where == where)

    assert found.severity is severity
    assert found.what.startswith(what)
    assert found.consequence


@pytest.mark.parametrize("statements", VARIANTS)
def test_equivalent_constraint_is_no_difference(examine_after: Examine, statements: list[str]) -> None:
    assert examine_after(*statements) == []


@pytest.mark.parametrize("index", ["(mail) WHERE active", "(lower(mail))", "(mail, name)", "(mail, lower(name))"])
def test_weaker_unique_index_does_not_replace_a_key(examine_after: Examine, index: str) -> None:
    found = examine_after("ALTER TABLE users DROP CONSTRAINT unique_mail", f"CREATE UNIQUE INDEX ON users {index}")

    assert [each.what for each in found] == ["(mail) is not unique"]


def test_different_on_delete_action_is_found(examine_after: Examine) -> None:
    found = examine_after(
        "ALTER TABLE bots DROP CONSTRAINT bots_uid_fkey",
        "ALTER TABLE bots ADD FOREIGN KEY (uid) REFERENCES users (uid) ON DELETE SET NULL",
    )

    assert [each.what for each in found] == [
        "foreign key from uid to users.uid is ON DELETE SET NULL, expected CASCADE"
    ]


def test_worst_difference_comes_first(examine_after: Examine) -> None:
    found = examine_after("ALTER TABLE bots ADD note text", "DROP INDEX uid_ex_id", "ALTER TABLE symbols DROP quote")

    assert [each.severity for each in found] == [BREAKS, DEGRADES, HARMLESS]


def test_remedy_for_a_missing_column_works(examine_after: Examine) -> None:
    loss = ("ALTER TABLE users DROP external_id", "ALTER TABLE bots DROP timestamp")

    remedies = [found.consequence.partition("fix it with ")[2] for found in examine_after(*loss)]
    left = examine_after(*loss, *filter(None, remedies))

    assert len(left) == 1  # the unique constraint was dropped with its column
    assert left[0].what == "(external_id) is not unique"


def test_empty_database_lacks_every_table_and_is_not_changed(empty_database: str) -> None:
    assert {found.what for found in inspect(empty_database)} == {"table is missing"}
    assert fetch(empty_database, "SELECT 1 FROM pg_tables WHERE schemaname IN ('public', 'fullon_graphql')") == []
