"""Alerts as they are raised."""

from __future__ import annotations

import strawberry

from fullon_graphql.context import Context
from fullon_graphql.schema.alerts import AlertEvent, AlertStreamEvent
from fullon_graphql.streaming.row_changes import AfterEvent, BotKey, RowChanges, WithSnapshot, row_stream
from fullon_graphql.streaming.sources import Source


def _alerts(
    context: Context, bot_id: BotKey = None, after: AfterEvent = None, snapshot: WithSnapshot = False
) -> Source[AlertStreamEvent]:
    return RowChanges(context, AlertEvent, AlertStreamEvent, after, snapshot, bot_id)


@strawberry.type
class AlertSubscriptions:
    alerts: AlertStreamEvent = row_stream("Your alerts (administrators: all)", _alerts)
