"""The triggers on the platform's tables: they record row changes in the feed and announce changed credentials.

They must never break a program of the platform. A function per table copies plain columns, which costs a third of a
generic one. If a column is missing, it falls back to the generic function, which reads the row as JSON. Writers need no
right on our schema, because the functions run with the rights of their owner. Existing tables get a trigger only by
`db install-feed`.

A row trigger never notifies: `pg_notify` takes a lock on the whole database until the transaction has ended, which
would serialise all commits. Readers poll. Credentials change rarely, so their trigger may notify.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import BigInteger, Connection, Integer, Table, inspect

from fullon_graphql.database import APPLICATION
from fullon_graphql.models.alerts import AlertEvent
from fullon_graphql.models.api_keys import ApiKey
from fullon_graphql.models.audit import AuditEntry
from fullon_graphql.models.base import OWN_SCHEMA, Base
from fullon_graphql.models.bots import Bot, BotLog
from fullon_graphql.models.halts import TradingHalt
from fullon_graphql.models.orders import Order
from fullon_graphql.models.trades import DryTrade, Trade
from fullon_graphql.models.users import User

WATCHED: Final[tuple[type[Base], ...]] = (Order, Trade, DryTrade, BotLog, Bot, AuditEntry, TradingHalt, AlertEvent)
"""The tables whose changes are recorded in the feed."""

CREDENTIALS: Final[tuple[type[Base], ...]] = (User, ApiKey)
"""The tables whose changes affect what a caller may do."""

CREDENTIALS_CHANNEL: Final = "fullon_graphql_credentials"
"""Channel of notifications about accounts whose row or API keys have changed. The payload is the uid."""

TRIGGER: Final = "fullon_graphql_changes"


def qualified(model: type[Base]) -> str:
    """The table's name with its schema."""
    table = model.__table__
    assert isinstance(table, Table), "every model maps a table"
    return f"{table.schema or 'public'}.{table.name}"


def key_columns(model: type[Base]) -> list[str]:
    """The names of the columns that identify a row."""
    return [column.name for column in inspect(model).primary_key]


def integer_key(model: type[Base]) -> str | None:
    """The name of the key column if the key is a single integer, which the feed stores in its column `id`."""
    columns = inspect(model).primary_key
    is_integer = len(columns) == 1 and isinstance(columns[0].type, (Integer, BigInteger))
    return columns[0].name if is_integer else None


def _function(model: type[Base]) -> str:
    return f"record_{inspect(model).local_table.name}_change"  # type: ignore[attr-defined]  # every model maps a table


FUNCTIONS: Final = {qualified(model): _function(model) for model in WATCHED} | {
    qualified(model): "note_credential" for model in CREDENTIALS
}
"""The function that the trigger of each table calls."""

# Names are qualified or found in pg_catalog, whatever the search path of the writer. The functions per table qualify
# operators too, because setting a search path for them would cost another fifth.
_GENERIC_FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.identity_of(line jsonb, columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(name, line -> name) FROM unnest(columns) AS name
$$;

CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.owner_of_bot(bot bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(
        (SELECT uid FROM public.bots WHERE bot_id = bot),
        (SELECT uid FROM {OWN_SCHEMA}.changes
         WHERE xid = pg_current_xact_id()::text::bigint AND entity = 'bots' AND bot_id = bot LIMIT 1))
$$;

CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.append_change(entity text, operation text, line jsonb, key text[]) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    bot bigint := line ->> 'bot_id';
    owner bigint := CASE WHEN line ? 'uid' THEN line ->> 'uid' ELSE {OWN_SCHEMA}.owner_of_bot(bot)::text END;
BEGIN
    INSERT INTO {OWN_SCHEMA}.changes (entity, operation, key, uid, bot_id)
    VALUES (entity, operation, {OWN_SCHEMA}.identity_of(line, key), owner, bot);
END $$;

CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.record_change(entity text, old_line jsonb, new_line jsonb, key text[])
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    identity text[] := key || '{{uid,bot_id}}'::text[];
BEGIN
    IF old_line IS NULL THEN
        PERFORM {OWN_SCHEMA}.append_change(entity, 'CREATED', new_line, key);
    ELSIF new_line IS NULL THEN
        PERFORM {OWN_SCHEMA}.append_change(entity, 'DELETED', old_line, key);
    ELSIF {OWN_SCHEMA}.identity_of(old_line, identity) = {OWN_SCHEMA}.identity_of(new_line, identity) THEN
        PERFORM {OWN_SCHEMA}.append_change(entity, 'UPDATED', new_line, key);
    ELSE -- another row, or another owner: deleted for the one, created for the other
        PERFORM {OWN_SCHEMA}.append_change(entity, 'DELETED', old_line, key);
        PERFORM {OWN_SCHEMA}.append_change(entity, 'CREATED', new_line, key);
    END IF;
END $$;

REVOKE ALL ON FUNCTION {OWN_SCHEMA}.record_change(text, jsonb, jsonb, text[]) FROM PUBLIC;

-- Triggers of older installations call this one, until `db install-feed` replaces them.
CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {OWN_SCHEMA}.record_change(TG_TABLE_NAME, to_jsonb(OLD), to_jsonb(NEW), TG_ARGV);
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION {OWN_SCHEMA}.note_change() FROM PUBLIC;

CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.note_credential() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before jsonb := to_jsonb(OLD) - 'last_used_at';
    after jsonb := to_jsonb(NEW) - 'last_used_at';
BEGIN
    IF before IS NULL OR before = after THEN
        RETURN NULL;
    END IF;
    -- We end sessions ourselves, except the one that changes its own password.
    IF before ->> 'password' <> after ->> 'password'
        AND current_setting('application_name') NOT LIKE '{APPLICATION}:%' THEN
        UPDATE {OWN_SCHEMA}.sessions SET revoked_at = now(), reason = 'password changed'
        WHERE uid = (before ->> 'uid')::bigint AND revoked_at IS NULL;
    END IF;
    PERFORM pg_notify('{CREDENTIALS_CHANNEL}', before ->> 'uid');
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION {OWN_SCHEMA}.note_credential() FROM PUBLIC;
"""  # noqa: S608  # made of constants of ours


def _table_function(model: type[Base]) -> str:
    """The trigger function of one table, which records its rows by plain columns.

    A row that gets another key or owner, a null among these, and a missing column are left to the generic function.
    """
    table = model.__table__
    assert isinstance(table, Table), "every model maps a table"
    key, single = key_columns(model), integer_key(model)

    def assign(line: str) -> str:
        pairs = ", ".join(f"'{name}', {line}.{name}" for name in key)
        value = f"{line}.{single}" if single else f"pg_catalog.jsonb_build_object({pairs})"
        bot = f"{line}.bot_id" if "bot_id" in table.columns else "NULL"
        owner = f"{line}.uid" if "uid" in table.columns else f"{OWN_SCHEMA}.owner_of_bot({bot})"
        return f"row_key := {value}; owner := {owner}; bot := {bot};"

    identity = [name for name in dict.fromkeys([*key, "uid", "bot_id"]) if name in table.columns]
    is_same = " AND ".join(f"OLD.{name} OPERATOR(pg_catalog.=) NEW.{name}" for name in identity)
    return f"""
CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.{_function(model)}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    operation pg_catalog.text;
    row_key pg_catalog.{"int8" if single else "jsonb"};
    owner pg_catalog.int8;
    bot pg_catalog.int8;
BEGIN
    BEGIN -- writes nothing, so that the block for the exception needs no transaction number of its own
        IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            {assign("NEW")}
            operation := 'CREATED';
        ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
            {assign("OLD")}
            operation := 'DELETED';
        ELSIF {is_same} THEN
            {assign("NEW")}
            operation := 'UPDATED';
        END IF;
    EXCEPTION WHEN undefined_column THEN
        operation := NULL;
    END;
    IF operation IS NULL THEN
        PERFORM {OWN_SCHEMA}.record_change(
            '{table.name}', pg_catalog.to_jsonb(OLD), pg_catalog.to_jsonb(NEW), '{{{",".join(key)}}}');
        RETURN NULL;
    END IF;
    INSERT INTO {OWN_SCHEMA}.changes (entity, operation, {"id" if single else "key"}, uid, bot_id)
    VALUES ('{table.name}', operation, row_key, owner, bot);
    RETURN NULL;
END $$;

REVOKE ALL ON FUNCTION {OWN_SCHEMA}.{_function(model)}() FROM PUBLIC;
"""  # noqa: S608  # made of constants of ours


IS_WATCHED: Final = (
    "SELECT 1 FROM pg_trigger "  # noqa: S608  # a constant of ours
    f"WHERE tgrelid = to_regclass($1) AND tgname = '{TRIGGER}' AND tgenabled IN ('O', 'A')"
)
"""Statement for the driver: one row if changes of the table `$1`, named with its schema, are recorded, else none."""

_TRIGGER = (
    "SELECT tgenabled::text AS enabled, proname::text AS function "  # noqa: S608  # a constant of ours
    "FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
    f"WHERE tgrelid = to_regclass($1) AND tgname = '{TRIGGER}'"
)


def unwatched(connection: Connection) -> list[str]:
    """The existing tables without an enabled trigger."""
    return [table for table in _existing(connection) if _enabled(connection, table) not in {"O", "A"}]


def outdated(connection: Connection) -> list[str]:
    """The existing tables whose trigger calls a function of an older version."""
    return [
        table for table in _existing(connection) if _installed(connection, table)[1] not in {None, FUNCTIONS[table]}
    ]


def unreplicated(connection: Connection) -> list[str]:
    """The existing tables whose trigger ignores rows that arrive by logical replication."""
    return [table for table in _existing(connection) if _enabled(connection, table) != "A"]


def tables(connection: Connection) -> set[str]:
    """Every existing table, named with its schema."""
    schemas = ("public", OWN_SCHEMA)
    return {f"{schema}.{name}" for schema in schemas for name in inspect(connection).get_table_names(schema)}


def renew_functions(connection: Connection) -> None:
    """Create or replace the functions of the triggers; they are in our own schema."""
    for statement in "\n".join([_GENERIC_FUNCTIONS, *map(_table_function, WATCHED)]).split(";\n\n"):
        connection.exec_driver_sql(statement)


def watch(connection: Connection, table: str, *, replicated: bool = False) -> None:
    """Install the trigger of `table`; waits for transactions that write to the table.

    With `replicated` it also fires for rows that arrive by logical replication, and keeps doing so when it is
    installed again.
    """
    replicated = replicated or _enabled(connection, table) == "A"
    connection.exec_driver_sql(
        f"CREATE OR REPLACE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {OWN_SCHEMA}.{FUNCTIONS[table]}()"
    )
    connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE {'ALWAYS ' if replicated else ''}TRIGGER {TRIGGER}")


def _existing(connection: Connection) -> Sequence[str]:
    there = tables(connection)
    return [table for table in FUNCTIONS if table in there]


def _enabled(connection: Connection, table: str) -> str | None:
    return _installed(connection, table)[0]


def _installed(connection: Connection, table: str) -> tuple[str | None, str | None]:
    """How the trigger of a table is enabled (`pg_trigger.tgenabled`), and the function it calls."""
    found = connection.exec_driver_sql(_TRIGGER, (table,)).first()
    return (found.enabled, found.function) if found else (None, None)
