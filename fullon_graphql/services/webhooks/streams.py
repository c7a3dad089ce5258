"""The event streams that a webhook can receive, and the events as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import orjson
from sqlalchemy import inspect
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import TypeDecorator

from fullon_graphql.database import Database
from fullon_graphql.models import AlertEvent, AuditEntry, Base, Bot, BotLog, DryTrade, Order, Trade
from fullon_graphql.models.base import is_secret
from fullon_graphql.services.access import RULES, Administrators, rows_of
from fullon_graphql.services.change_feed.table import Change, ChangeKind, Interest


class WebhookStream(StrEnum):
    """A stream of events, named as the subscription with the same events."""

    ORDERS = "ORDERS"
    TRADES = "TRADES"
    DRY_TRADES = "DRY_TRADES"
    BOT_LOGS = "BOT_LOGS"
    BOTS = "BOTS"
    ALERTS = "ALERTS"
    AUDIT_LOG = "AUDIT_LOG"


TABLES: Final[dict[WebhookStream, type[Base]]] = {
    WebhookStream.ORDERS: Order,
    WebhookStream.TRADES: Trade,
    WebhookStream.DRY_TRADES: DryTrade,
    WebhookStream.BOT_LOGS: BotLog,
    WebhookStream.BOTS: Bot,
    WebhookStream.ALERTS: AlertEvent,
    WebhookStream.AUDIT_LOG: AuditEntry,
}
WITHOUT_BOT: Final = frozenset({WebhookStream.TRADES, WebhookStream.AUDIT_LOG})
"""Streams whose rows have no bot, so that they cannot be filtered by one."""

_NAMES: Final = {table.__tablename__: (stream.lower(), table) for stream, table in TABLES.items()}


def interest_of(streams: Sequence[str], bot_id: int | None, uid: int, *, is_admin: bool) -> Interest | None:
    """The changes of these streams that the owner may see; None if there are none.

    Administrators see the changes of all rows, others those of their own rows.
    """
    tables = [TABLES[WebhookStream(name)] for name in streams]
    allowed = [table for table in tables if is_admin or not isinstance(RULES[table], Administrators)]
    if not allowed:
        return None
    first, *further = allowed
    return Interest(first, None if is_admin else uid, bot_id, tuple(further))


def type_of(change: Change) -> str:
    """The type of an event, e.g. `orders.created`."""
    return f"{_NAMES[change.entity][0]}.{change.kind.lower()}"


async def body_of(database: Database, change: Change, event_id: str, owner: int | None) -> bytes:
    """The event as JSON. Its row is the present one, null if it is deleted or not visible to `owner`; None sees all."""
    row = None if change.kind is ChangeKind.DELETED else await _row(database, change, owner)
    return encode(event_id, type_of(change), change.position.cursor, change.at, {"key": change.key, "row": row})


def encode(event_id: str, event_type: str, cursor: str | None, at: float, data: dict[str, Any] | None) -> bytes:
    """The body of a request; `at` in Unix seconds."""
    time = datetime.fromtimestamp(at, UTC)
    event = {"id": event_id, "type": event_type, "cursor": cursor, "timestamp": time, "data": data}
    return orjson.dumps(event, default=_as_json)


async def _row(database: Database, change: Change, owner: int | None) -> dict[str, Any] | None:
    """The columns of the changed row that are not secret."""
    table = _NAMES[change.entity][1]
    keys = [inspect(table).get_property_by_column(column).class_attribute for column in inspect(table).primary_key]
    try:
        same = [column == _value(column, change.key.get(column.key)) for column in keys]
    except ValueError:
        return None  # a time or number beyond what Python has
    columns = [
        getattr(table, name).label(name) for name, column in inspect(table).columns.items() if not is_secret(column)
    ]
    rows = rows_of(table, owner).where(*same).with_only_columns(*columns)
    found = await database.row(rows)
    return None if found is None else {str(name): value for name, value in found._mapping.items()}


def _value(column: InstrumentedAttribute[Any], value: Any) -> Any:
    """A value of a key in the feed as the column's type."""
    type_ = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    kind = type_.python_type
    if value is not None and kind is datetime:
        return datetime.fromisoformat(value)
    return Decimal(str(value)) if kind is Decimal and value is not None else value


def _as_json(value: Any) -> Any:
    """A value that JSON does not have: an exact number as text, and null for JSON that cannot be represented."""
    return str(value) if isinstance(value, Decimal) else None
