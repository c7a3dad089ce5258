"""Alerts as they are raised."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.alerts import AlertEvent, AlertStreamEvent
from fullon_graphql.streaming.row_changes import row_stream


@strawberry.type
class AlertSubscriptions:
    alerts: AlertStreamEvent = row_stream("Your alerts (administrators: all)", AlertEvent, AlertStreamEvent)
