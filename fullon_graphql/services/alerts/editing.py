"""Creating and changing rules of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from fullon_graphql.errors import BadUserInput, Conflict, shortened
from fullon_graphql.models import AlertCursor, AlertRule, Bot, CatExchange, Order, Symbol
from fullon_graphql.observability.metrics import count_limit
from fullon_graphql.services.access import service_reader, visible_owner
from fullon_graphql.services.alerts.conditions import AlertCondition, AlertDirection
from fullon_graphql.services.change_feed.table import EDGE
from fullon_graphql.services.writing.checks import not_blank, not_negative, positive, spelled, storable
from fullon_graphql.services.writing.executor import UnitOfWork

LONGEST_NAME: Final = 100
LONGEST_WINDOW: Final = 7 * 24 * 3600
"""Seconds."""

REQUIRED: Final[Mapping[AlertCondition, tuple[str, ...]]] = {
    AlertCondition.PRICE_CROSSES: ("exchange", "symbol", "threshold"),
    AlertCondition.CHANGE_PERCENT: ("exchange", "symbol", "threshold", "window_seconds"),
    AlertCondition.FEED_STALE: ("exchange", "symbol", "threshold"),
    AlertCondition.SERVICE_FAILED: (),
    AlertCondition.DRAWDOWN: ("bot_id", "threshold", "currency", "capital"),
    AlertCondition.ORDER_STATE: ("statuses",),
}
_OPTIONAL: Final[Mapping[AlertCondition, tuple[str, ...]]] = {
    AlertCondition.PRICE_CROSSES: ("direction",),
    AlertCondition.CHANGE_PERCENT: ("direction",),
    AlertCondition.SERVICE_FAILED: ("service",),
    AlertCondition.ORDER_STATE: ("bot_id",),
}
PARAMETERS: Final = (
    "exchange", "symbol", "direction", "threshold", "window_seconds", "service", "bot_id", "currency", "capital",
    "statuses",
)  # fmt: skip
"""The columns of which a condition uses some."""

_COUNT_TURN = text("SELECT pg_advisory_xact_lock(hashtext('fullon_graphql alert rules'), :uid)")


async def create(write: UnitOfWork, values: Mapping[str, Any]) -> int:
    """Create a rule of the caller's: `name`, `condition`, its parameters, `once`, `cooldown_seconds`.

    Raises:
        BadUserInput: a parameter is missing, invalid, or not one of the condition.
        Conflict: the caller has as many rules as allowed.
        Forbidden: the credential may not read what the rule observes.
        NotFound: there is no such bot that the caller may see.
    """
    row = await _checked(write, AlertCondition(values["condition"]), values)
    uid = write.principal.uid
    await write.connection.execute(_COUNT_TURN, {"uid": uid})  # until the end of the transaction
    owned = await write.connection.scalar(select(func.count()).where(AlertRule.uid == uid))
    if owned is not None and owned >= write.settings.alert_rules_per_user:
        count_limit("ALERT_RULES_PER_USER")
        raise Conflict(f"You have {owned} rules, as many as ALERT_RULES_PER_USER allows; delete one first.")
    if row["condition"] == AlertCondition.ORDER_STATE:  # the first start of the evaluator may come later
        edge = int(await write.connection.scalar(text(EDGE)) or 0)
        await write.connection.execute(insert(AlertCursor).values(xid=edge, seq=0).on_conflict_do_nothing())
    defaults = {"direction": AlertDirection.ANY, "statuses": []}
    return int((await write.insert(AlertRule, defaults | row | {"uid": uid})).rule_id)


async def change(write: UnitOfWork, rule_id: int, values: Mapping[str, Any]) -> int:
    """Change a rule; its condition stays. With other parameters its last value is unknown again.

    Raises:
        NotFound: there is no such rule, or bot, that the caller may see.
        BadUserInput, Forbidden: as `create`.
    """
    rule = await write.find(AlertRule, rule_id)
    stored = {name: getattr(rule, name) for name in (*PARAMETERS, "name")}
    condition = AlertCondition(rule.condition)
    used = {name: value for name, value in stored.items() if name == "name" or name in _parameters(condition)}
    await _checked(write, condition, used | dict(values))
    changed = _spelled_as_stored(storable(AlertRule, values))
    is_other = any(changed.get(name, stored[name]) != stored[name] for name in PARAMETERS)
    if is_other or (changed.get("active") and not rule.active):
        changed["last_value"] = None
    await write.update(AlertRule, rule, changed)
    return rule_id


async def remove(write: UnitOfWork, rule_id: int) -> bool:
    """Delete a rule; the alerts that it has raised remain.

    Raises:
        NotFound: there is no such rule that the caller may see.
    """
    await write.delete(AlertRule, await write.find(AlertRule, rule_id))
    return True


def _spelled_as_stored(row: dict[str, Any]) -> dict[str, Any]:
    """The row with statuses in lower case, and the name of a service as the graph has it."""
    if "statuses" in row:
        row["statuses"] = [status.strip().lower() for status in row["statuses"]]
    if row.get("service"):
        row["service"] = row["service"].upper()
    return row


def _parameters(condition: AlertCondition) -> tuple[str, ...]:
    return REQUIRED[condition] + _OPTIONAL.get(condition, ())


async def _checked(write: UnitOfWork, condition: AlertCondition, values: Mapping[str, Any]) -> dict[str, Any]:
    not_blank(values, "name", "exchange", "symbol")
    row = _spelled_as_stored(storable(AlertRule, values))
    if len(row.get("name", "")) > LONGEST_NAME:
        raise BadUserInput(f"`name` has more than {LONGEST_NAME} characters.", field="name")
    for name in REQUIRED[condition]:
        if row.get(name) in (None, []):
            raise BadUserInput(f"{condition} needs `{spelled(name)}`.", field=spelled(name))
    for name in PARAMETERS:
        if row.get(name) not in (None, []) and name not in _parameters(condition):
            raise BadUserInput(f"{condition} has no `{spelled(name)}`.", field=spelled(name))
    positive(row, "threshold", "window_seconds", "capital")
    not_negative(row, "cooldown_seconds")
    if (row.get("window_seconds") or 0) > LONGEST_WINDOW:
        raise BadUserInput(f"`windowSeconds` is above {LONGEST_WINDOW}, a week.", field="windowSeconds")
    await _check_access(write, condition, row)
    return row


async def _check_access(write: UnitOfWork, condition: AlertCondition, row: Mapping[str, Any]) -> None:
    """The credential in use must be allowed to read what the rule observes."""
    match condition:
        case AlertCondition.SERVICE_FAILED:
            service_reader(write.principal)
        case AlertCondition.ORDER_STATE:
            visible_owner(Order, write.principal)
        case AlertCondition.DRAWDOWN:
            pass  # the bot is looked up below
        case _:
            await _require_symbol(write, row)
    if row.get("bot_id") is not None:
        await write.find(Bot, row["bot_id"], lock=False)


async def _require_symbol(write: UnitOfWork, row: Mapping[str, Any]) -> None:
    visible_owner(Symbol, write.principal)
    found = select(Symbol.symbol_id).join(CatExchange, CatExchange.cat_ex_id == Symbol.cat_ex_id)
    known = found.where(CatExchange.name == row["exchange"], Symbol.symbol == row["symbol"])
    if (await write.connection.execute(known)).first() is None:
        raise BadUserInput(f"{shortened(row['exchange'])} has no symbol {shortened(row['symbol'])}.", field="symbol")
