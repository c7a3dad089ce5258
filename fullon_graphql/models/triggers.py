"""The triggers that write the change feed, and tell of changed credentials, on tables that belong to the platform.

They must never stand in the way of the platform's own programs. A row is looked at as JSON, so that a column which is
missing here or new there is no error; and nobody needs a right on our schema, for the functions run as whoever made
them. Tables that were there before us get a trigger only where an operator asks for it: `db install-feed`.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table, inspect

from fullon_graphql.database import APPLICATION
from fullon_graphql.models.api_keys import ApiKey
from fullon_graphql.models.audit import AuditEntry
from fullon_graphql.models.base import OWN_SCHEMA, Base
from fullon_graphql.models.bots import Bot, BotLog
from fullon_graphql.models.orders import Order
from fullon_graphql.models.trades import DryTrade, Trade
from fullon_graphql.models.users import User


def qualified(model: type[Base]) -> str:
    """The table's name with its schema."""
    table = model.__table__
    assert isinstance(table, Table), "no query stands behind a model"
    return f"{table.schema or 'public'}.{table.name}"


CHANNEL = "fullon_graphql_changes"
"""Where PostgreSQL tells, once per transaction, that there is something new in the feed."""

WATCHED: tuple[type[Base], ...] = (Order, Trade, DryTrade, BotLog, Bot, AuditEntry)
"""The tables whose changes are told."""

CREDENTIALS_CHANNEL = "fullon_graphql_credentials"
"""Where PostgreSQL tells whose account, or whose API key, has changed: with the commit, whatever else is running."""

CREDENTIALS: tuple[type[Base], ...] = (User, ApiKey)
"""The tables that say who may do what."""


def _key(model: type[Base]) -> str:
    return ", ".join(f"'{column.name}'" for column in inspect(model).primary_key)


CALLS = {qualified(model): f"note_change({_key(model)})" for model in WATCHED} | {
    qualified(model): "note_credential()" for model in CREDENTIALS
}
"""What the trigger of each table calls."""

TRIGGER = "fullon_graphql_changes"

# Names are qualified or found in pg_catalog, whatever the search path of whoever writes.
_FUNCTIONS = f"""
CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.identity_of(line jsonb, columns text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(name, line -> name) FROM unnest(columns) AS name
$$;

CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.owner_of_bot(bot bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
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

CREATE OR REPLACE FUNCTION {OWN_SCHEMA}.note_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    identity text[] := TG_ARGV || '{{uid,bot_id}}'::text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM {OWN_SCHEMA}.append_change(TG_TABLE_NAME, 'CREATED', to_jsonb(NEW), TG_ARGV);
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM {OWN_SCHEMA}.append_change(TG_TABLE_NAME, 'DELETED', to_jsonb(OLD), TG_ARGV);
    ELSIF {OWN_SCHEMA}.identity_of(to_jsonb(OLD), identity) = {OWN_SCHEMA}.identity_of(to_jsonb(NEW), identity) THEN
        PERFORM {OWN_SCHEMA}.append_change(TG_TABLE_NAME, 'UPDATED', to_jsonb(NEW), TG_ARGV);
    ELSE -- another row, or another's row: gone for the one, new for the other
        PERFORM {OWN_SCHEMA}.append_change(TG_TABLE_NAME, 'DELETED', to_jsonb(OLD), TG_ARGV);
        PERFORM {OWN_SCHEMA}.append_change(TG_TABLE_NAME, 'CREATED', to_jsonb(NEW), TG_ARGV);
    END IF;
    PERFORM pg_notify('{CHANNEL}', '');
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
    -- We end sessions ourselves, but for the one in which somebody changes their password.
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

IS_WATCHED = (
    "SELECT 1 FROM pg_trigger "  # noqa: S608  # a constant of ours
    f"WHERE tgrelid = to_regclass($1) AND tgname = '{TRIGGER}' AND tgenabled IN ('O', 'A')"
)
"""Statement for the driver: one row where the changes of the table `$1`, named with its schema, are told, else none."""


def unwatched(connection: Connection) -> list[str]:
    """The tables that are there and whose changes nobody tells."""
    there = tables(connection)
    return [
        table for table in CALLS if table in there and not connection.exec_driver_sql(IS_WATCHED, (table,)).scalar()
    ]


def tables(connection: Connection) -> set[str]:
    """Every table that is there, named with its schema."""
    schemas = ("public", OWN_SCHEMA)
    return {f"{schema}.{name}" for schema in schemas for name in inspect(connection).get_table_names(schema)}


def renew_functions(connection: Connection) -> None:
    """Bring what the triggers call up to date; they are in our own schema."""
    for statement in _FUNCTIONS.split(";\n\n"):
        connection.exec_driver_sql(statement)


def watch(connection: Connection, table: str) -> None:
    """Have the changes of `table` told from now on. Waits for whoever writes to it."""
    connection.exec_driver_sql(
        f"CREATE OR REPLACE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {OWN_SCHEMA}.{CALLS[table]}"
    )
    connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER {TRIGGER}")
