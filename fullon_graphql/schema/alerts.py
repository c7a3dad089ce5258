"""Rules of alerts, and the alerts that were raised."""

from __future__ import annotations

import strawberry

import fullon_graphql.schema.services  # noqa: F401  # it describes `ServiceName`, which must come first
from fullon_graphql import models
from fullon_graphql.daemons.control.state import ServiceName
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.changes import RowEvent, changed_row
from fullon_graphql.schema.support.enums import described
from fullon_graphql.schema.support.inputs import optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import AlertRuleRef, BotRef, UserRef
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.services.alerts.conditions import AlertCondition, AlertDirection

described(
    AlertCondition,
    "Condition of an alert, with the parameters that it needs.",
    {
        AlertCondition.PRICE_CROSSES: "The price of a symbol reaches `threshold` from the other side: `exchange`,"
        " `symbol`, `threshold`, optionally `direction`.",
        AlertCondition.CHANGE_PERCENT: "The price has changed by `threshold` percent within `windowSeconds`:"
        " `exchange`, `symbol`, `threshold`, `windowSeconds`, optionally `direction`. Unknown"
        " until prices of a whole window have been seen.",
        AlertCondition.FEED_STALE: "The last ticker of a symbol is older than `threshold` seconds:"
        " `exchange`, `symbol`, `threshold`.",
        AlertCondition.SERVICE_FAILED: "A background service has failed; for administrators: optionally `service`.",
        AlertCondition.DRAWDOWN: "The maximum drawdown of a bot reaches `threshold` percent, as in"
        " `performanceMetrics`: `botId`, `threshold`, `currency`, `capital`. Computed once per minute.",
        AlertCondition.ORDER_STATE: "An order gets one of `statuses`: `statuses`, optionally `botId`. Once per order"
        " and status.",
    },
)
described(
    AlertDirection,
    "Direction of a price.",
    {
        AlertDirection.ABOVE: "The price rises.",
        AlertDirection.BELOW: "The price falls.",
        AlertDirection.ANY: "The price rises or falls.",
    },
)


@entity(models.AlertRule)
class AlertRule(Node):
    """A condition that raises alerts for its owner."""

    rule_id: int = column("Key of the rule.")
    uid: int = column("`uid` of the owner.")
    name: str = column("Name chosen by the owner.")
    condition: AlertCondition = column("Condition of the rule.", filterable=True)
    exchange: str | None = column("Name of the exchange, e.g. `kraken`; null if the condition has none.")
    symbol: str | None = column("Instrument in the exchange's spelling; null if the condition has none.")
    direction: AlertDirection = column("Direction of the price; ANY if the condition has none.")
    threshold: float | None = column(
        "Threshold: a price in quote currency, percent, or seconds; null if the condition has none."
    )
    window_seconds: int | None = column("Length of the window in seconds; null if the condition has none.")
    service: ServiceName | None = column("Service that is observed; null for all services and for other conditions.")
    bot_id: int | None = column("Key of the bot; null for all bots and for other conditions.")
    currency: str | None = column("Currency of the drawdown; null for other conditions.")
    capital: float | None = column("Capital of the drawdown, in `currency`; null for other conditions.")
    statuses: list[str] = column("Statuses of orders, in lower case; empty for other conditions.")
    once: bool = column("True if the rule is deactivated by its first alert.")
    cooldown_seconds: int = column("Seconds after an alert in which the rule raises no other.")
    active: bool = column("True while the rule is evaluated.", filterable=True)
    last_fired_at: DateTime | None = column("Time of the last alert; null if there was none.", filterable=True)
    created_at: DateTime = column("Time of creation.", filterable=True)

    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    bot: BotRef | None = to_one(
        "The bot; null if the rule has none, and if it no longer exists.",
        relation("Bot", "bot_id", models.Bot.bot_id),
    )


@entity(models.AlertEvent)
class AlertEvent(Node):
    """An alert that was raised. Alerts are kept for `ALERT_RETENTION_DAYS`."""

    alert_id: int = column("Key of the alert.")
    uid: int = column("`uid` of the owner.")
    rule_id: int = column("Key of the rule.", filterable=True)
    bot_id: int | None = column("Key of the bot; null if the rule has none.", filterable=True)
    condition: AlertCondition = column("Condition of the rule.", filterable=True)
    message: str = column("The reason as a sentence, e.g. `BTC/USD on kraken is 60010: it crosses 60000.`")
    value: float | None = column(
        "Value that met the condition: a price, percent, or seconds; null for the state of an order."
    )
    raised_at: DateTime = column("Time of the alert.", filterable=True)

    rule: AlertRuleRef | None = to_one(
        "The rule; null if it has been deleted.", relation("AlertRule", "rule_id", models.AlertRule.rule_id)
    )
    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    bot: BotRef | None = to_one(
        "The bot; null if the rule has none, and if it no longer exists.",
        relation("Bot", "bot_id", models.Bot.bot_id),
    )


@strawberry.type(
    description="An alert was raised (CREATED), or removed because it was older than `ALERT_RETENTION_DAYS` (DELETED)."
)
class AlertStreamEvent(RowEvent):
    alert_event: AlertEvent | None = changed_row(AlertEvent, "The alert; null if it is deleted.")


@strawberry.input(description="A new rule. Each condition has parameters of its own, see `AlertCondition`.")
class CreateAlertInput:
    name: str = required("Name of the rule in lists.")
    condition: AlertCondition = required("Condition of the rule.")
    exchange: str | None = optional("Name of the exchange, e.g. `kraken`.", None)
    symbol: str | None = optional("Instrument in the exchange's spelling, e.g. `BTC/USD`.", None)
    direction: AlertDirection | None = optional("Direction of the price; ANY by default.", None)
    threshold: float | None = optional("Threshold above zero: a price, percent, or seconds.", None)
    window_seconds: int | None = optional("Length of the window in seconds, at most a week.", None)
    service: ServiceName | None = optional("Service that is observed; by default all.", None)
    bot_id: int | None = optional("Key of the bot.", None)
    currency: str | None = optional("Currency of the drawdown, e.g. `USD`.", None)
    capital: float | None = optional("Capital of the drawdown, in `currency`.", None)
    statuses: list[str] | None = optional("Statuses of orders, e.g. `filled`, in any letter case.", None)
    once: bool = optional("Deactivate the rule after its first alert.", False)
    cooldown_seconds: int = optional("Seconds after an alert in which the rule raises no other.", 60)


@strawberry.input(description="Changes of a rule; omitted fields keep their values. Its condition cannot be changed.")
class UpdateAlertInput:
    rule_id: int = required("Key of the rule.")
    name: str | None = optional("Name of the rule in lists.")
    exchange: str | None = optional("Name of the exchange.")
    symbol: str | None = optional("Instrument in the exchange's spelling.")
    direction: AlertDirection | None = optional("Direction of the price.")
    threshold: float | None = optional("Threshold above zero: a price, percent, or seconds.")
    window_seconds: int | None = optional("Length of the window in seconds, at most a week.")
    service: ServiceName | None = optional("Service that is observed; null for all.")
    bot_id: int | None = optional("Key of the bot; null for all, if the condition allows it.")
    currency: str | None = optional("Currency of the drawdown.")
    capital: float | None = optional("Capital of the drawdown, in `currency`.")
    statuses: list[str] | None = optional("Statuses of orders.")
    once: bool | None = optional("Deactivate the rule after its next alert.")
    cooldown_seconds: int | None = optional("Seconds after an alert in which the rule raises no other.")
    active: bool | None = optional("False stops the evaluation of the rule, true starts it.")
