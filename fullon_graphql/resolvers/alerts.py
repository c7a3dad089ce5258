"""Queries and mutations about alerts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.engine.fields.connection import Connection, StreamedConnection
from fullon_graphql.engine.fields.mutations import change, given
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.alerts import AlertEvent, AlertRule, CreateAlertInput, UpdateAlertInput
from fullon_graphql.schema.support.arguments import WhichAlertRule
from fullon_graphql.services.alerts import editing
from fullon_graphql.services.writing.executor import UnitOfWork


@strawberry.type
class AlertQueries:
    alert_rules: Connection[AlertRule] = root_connection(
        "The rules of alerts you may see, by key: your own, or all for administrators.", AlertRule
    )
    alert_rule: AlertRule | None = root_row("The rule with this key; null if there is none you may see.", AlertRule)
    alert_events: StreamedConnection[AlertEvent] = root_connection(
        "The alerts that were raised and that you may see, by key, the oldest first.", AlertEvent
    )


NewAlert = Annotated[CreateAlertInput, strawberry.argument(name="input", description="The rule.")]
ChangedAlert = Annotated[UpdateAlertInput, strawberry.argument(name="input", description="The changes.")]


@strawberry.type
class AlertMutations:
    @change(AlertRule, "Create a rule that raises alerts for you.")
    async def create_alert(self, write: UnitOfWork, alert: NewAlert) -> int:
        return await editing.create(write, given(alert))

    @change(AlertRule, "Change, stop or start a rule.")
    async def update_alert(self, write: UnitOfWork, alert: ChangedAlert) -> int:
        return await editing.change(write, alert.rule_id, given(alert, "rule_id"))

    @change(bool, "Delete a rule. The alerts that it has raised remain.")
    async def delete_alert(self, write: UnitOfWork, rule_id: WhichAlertRule) -> bool:
        return await editing.remove(write, rule_id)
