"""Access rules: which rows of each table a caller may read, and which scope each read and change requires.

Every list, look-up, relation, change and stream of rows starts from `visible`, so no path leads around a rule. Rows
that a caller may not read do not exist for that caller. A model without a rule fails a test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    UniqueConstraint,
    case,
    exists,
    inspect,
    literal_column,
    or_,
    select,
    true,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from fullon_graphql.auth.principal import Caller, Principal, Scope, administrator, authenticated, reader, signed_in
from fullon_graphql.errors import Forbidden
from fullon_graphql.models import (
    AlertCursor,
    AlertEvent,
    AlertRule,
    ApiKey,
    AuditEntry,
    Base,
    Bot,
    BotExchange,
    BotLog,
    CatExchange,
    CatExchangeParam,
    CatStrategy,
    CatStrategyParam,
    Change,
    ChangesFloor,
    DryTrade,
    Exchange,
    ExchangeHistory,
    Feed,
    HaltSwitch,
    IdempotencyRecord,
    Order,
    Session,
    Simulation,
    Strategy,
    StrategyParam,
    Symbol,
    SymbolStep,
    Trade,
    TradingHalt,
    User,
    Webhook,
    WebhookDelivery,
)

Owner: TypeAlias = int | ColumnElement[int]
"""A uid, or a parameter for one."""


class Rule(ABC):
    """Which rows of one table a caller may read."""

    depends_on_caller: ClassVar[bool] = True
    """False if every signed-in caller reads the same rows."""

    @abstractmethod
    def owner(self, caller: Caller) -> int | None:
        """The uid whose rows the caller may read; None for all rows.

        Raises:
            Unauthenticated: the caller is not signed in.
            Forbidden: the credential may not read, or the table is closed to the caller.
        """

    def condition(self, owner: Owner) -> ColumnElement[bool]:
        """The condition that holds for the rows of `owner`."""
        raise NotImplementedError(f"{type(self).__name__} does not divide rows by owner.")


class Everybody(Rule):
    """All rows, for every signed-in caller: the catalogue and market data."""

    depends_on_caller = False

    def owner(self, caller: Caller) -> None:
        reader(caller)


class Administrators(Rule):
    """All rows, for administrators only."""

    def owner(self, caller: Caller) -> None:
        administrator(caller)


class Internal(Rule):
    """No row for any caller: services read and write the table themselves."""

    def owner(self, caller: Caller) -> None:
        raise Forbidden("This table is internal.")


class _PerOwner(Rule):
    def owner(self, caller: Caller) -> int | None:
        principal = reader(caller)
        return None if principal.admin else principal.uid


@dataclass(frozen=True)
class OwnedBy(_PerOwner):
    """The rows whose `column` is the caller's uid; all rows for administrators."""

    column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]
    null_is_for_everybody: bool = False
    """True if every user may read the rows without an owner."""

    def condition(self, owner: Owner) -> ColumnElement[bool]:
        own = self.column == owner
        return or_(own, self.column.is_(None)) if self.null_is_for_everybody else own


@dataclass(frozen=True)
class Through(_PerOwner):
    """The rows whose `column` is the key of a `parent` row that the caller may read.

    Administrators read all rows, also those without a parent.
    """

    column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]
    parent: type[Base]

    def condition(self, owner: Owner) -> ColumnElement[bool]:
        [key] = inspect(self.parent).primary_key
        parents = select(key).where(RULES[self.parent].condition(owner))
        # Not correlated: a relation may join the parent table around this condition, and that is a different row.
        return self.column.in_(parents.correlate(None))


RULES: Final[Mapping[type[Base], Rule]] = {
    # People and their credentials
    User: OwnedBy(User.uid),
    Session: OwnedBy(Session.uid),
    ApiKey: OwnedBy(ApiKey.uid),
    # Alerts, and deliveries to other programs
    AlertRule: OwnedBy(AlertRule.uid),
    AlertEvent: OwnedBy(AlertEvent.uid),
    AlertCursor: Internal(),
    Webhook: OwnedBy(Webhook.uid),
    WebhookDelivery: Through(WebhookDelivery.webhook_id, Webhook),
    # Accounts on exchanges
    Exchange: OwnedBy(Exchange.uid),
    ExchangeHistory: OwnedBy(ExchangeHistory.user_id),
    # Bots
    Bot: OwnedBy(Bot.uid),
    BotExchange: Through(BotExchange.bot_id, Bot),
    BotLog: Through(BotLog.bot_id, Bot),
    Simulation: Through(Simulation.bot_id, Bot),
    Strategy: Through(Strategy.bot_id, Bot),
    StrategyParam: Through(StrategyParam.str_id, Strategy),
    Feed: Through(Feed.str_id, Strategy),
    # Trading
    Order: OwnedBy(Order.uid),
    Trade: OwnedBy(Trade.uid),
    DryTrade: OwnedBy(DryTrade.uid),
    TradingHalt: OwnedBy(TradingHalt.uid, null_is_for_everybody=True),
    HaltSwitch: OwnedBy(HaltSwitch.uid),
    # The catalogue
    CatExchange: Everybody(),
    CatExchangeParam: Everybody(),
    CatStrategy: Everybody(),
    CatStrategyParam: Everybody(),
    Symbol: Everybody(),
    SymbolStep: Everybody(),
    # Operation
    AuditEntry: Administrators(),
    Change: Internal(),
    ChangesFloor: Internal(),
    IdempotencyRecord: Internal(),
}

ENTITIES: Final[Mapping[type[Base], str]] = {
    User: "users",
    Session: "sessions",
    ApiKey: "api_keys",
    AlertRule: "alerts",
    AlertEvent: "alerts",
    Webhook: "webhooks",
    WebhookDelivery: "webhooks",
    Exchange: "exchanges",  # with live balances, positions and orders
    ExchangeHistory: "exchanges",
    Bot: "bots",  # with live states
    BotExchange: "bots",
    BotLog: "bots",
    Simulation: "bots",
    Strategy: "strategies",
    StrategyParam: "strategies",
    Feed: "strategies",
    Order: "orders",
    Trade: "trades",
    DryTrade: "trades",
    TradingHalt: "bots",
    HaltSwitch: "bots",
    CatExchange: "catalogue",
    CatExchangeParam: "catalogue",
    CatStrategy: "catalogue",
    CatStrategyParam: "catalogue",
    Symbol: "symbols",
    SymbolStep: "symbols",
}
"""The entity of each table in the scopes `<entity>:read` and `<entity>:write`. Other tables require `admin`."""

TICKERS: Final = "tickers:read"
CANDLES: Final = "candles:read"
"""Scopes of market data: candles with stored trades."""
ORDERS: Final = "orders:read"
CONTROL: Final = "services:control"
"""The scope to start and stop services and to read their states, for administrators."""

SCOPES: Final = (
    *Scope,
    *sorted({f"{entity}:{action}" for entity in ENTITIES.values() for action in ("read", "write")}),
    TICKERS,
    CANDLES,
    CONTROL,
)
"""All scopes of credentials. `read` includes every `<entity>:read`, `write` every `<entity>:write`, and `write` with
`admin` includes `services:control`. A scope grants nothing that the account itself may not do."""

_CHANGES: Final[Mapping[str, Sequence[str]]] = {
    "users": (
        "updateProfile", "changePassword", "enrolTotp", "confirmTotp", "disableTotp", "createUser", "updateUser",
        "deactivateUser", "activateUser", "deleteUser", "anonymizeUser",
    ),
    "sessions": ("endSession", "endOtherSessions"),
    "api_keys": ("createApiKey", "deactivateApiKey"),
    "alerts": ("createAlert", "updateAlert", "deleteAlert"),
    "webhooks": ("createWebhook", "updateWebhook", "deleteWebhook", "rotateWebhookSecret", "testWebhook"),
    "exchanges": ("createExchange", "updateExchange", "deleteExchange"),
    "bots": (
        "createBot", "updateBot", "deleteBot", "attachExchange", "detachExchange", "haltTrading", "resumeTrading",
        "disarmHaltSwitch",
    ),
    "strategies": (
        "createStrategy", "updateStrategy", "setStrategyParams", "deleteStrategy", "createFeed", "updateFeed",
        "deleteFeed",
    ),
    "orders": ("createOrder", "updateOrderStatus", "cancelOrder", "cancelOrders"),
    "trades": ("createTrade", "updateTrade", "deleteTrade", "createDryTrade"),
    "symbols": ("createSymbol", "updateSymbol", "deleteSymbol"),
    "catalogue": (
        "createCatExchange", "updateCatExchange", "setCatExchangeParams", "createCatStrategy", "updateCatStrategy",
        "setCatStrategyParams", "deleteCatStrategy",
    ),
}  # fmt: skip
CHANGES: Final[Mapping[str, str]] = {
    operation: f"{entity}:write" for entity, operations in _CHANGES.items() for operation in operations
} | dict.fromkeys(("startService", "stopService", "restartService"), CONTROL)
"""The scope of each change, by the name of its mutation; REST uses the same names."""

STREAMED_CHANGES: Final = {"haltOnDisconnect": CHANGES["haltTrading"]}
"""The scope of each change that a subscription makes, by the name of the subscription."""

PUBLIC_CHANGES: Final = frozenset({"login", "refreshToken"})
"""The mutations that need no credential."""

ADMINISTRATIVE_COLUMNS: Final = frozenset({CatExchangeParam.value})
"""Columns that only administrators read, of tables that other callers read too. The platform may keep keys in them."""


def visible(model: type[Base], caller: Caller, *, mostly_own: bool = False) -> Select[Any]:
    """The rows of `model` that the caller may read. Rows of a table without a key appear once per content.

    `mostly_own` hides the rule from PostgreSQL's estimates, if other conditions select rows of the caller already, e.g.
    the orders of an own bot. PostgreSQL would take the owner for a second, independent condition, expect hardly a row,
    and read all orders of the bot to sort them in place of a page by an index.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read, or the table is closed to the caller.
    """
    return rows_of(model, visible_owner(model, caller), mostly_own=mostly_own)


def rows_of(model: type[Base], owner: Owner | None, *, mostly_own: bool = False) -> Select[Any]:
    """The rows of `model` that are visible to a caller with this `visible_owner`, which may be a parameter."""
    rows = select(model)
    if owner is not None:
        condition = RULES[model].condition(owner)
        rows = rows.where(case((condition, true())) if mostly_own else condition)
    return rows if _has_key(model) else _distinct(rows, model)


def is_owned(model: type[Base]) -> bool:
    """True if each row of `model` has its owner in a column."""
    return isinstance(RULES[model], OwnedBy)


def visible_owner(model: type[Base], caller: Caller) -> int | None:
    """The uid whose rows of `model` the caller may read; None for all rows. Raises as `visible` does."""
    if entity := ENTITIES.get(model):
        signed_in(caller, f"{entity}:read")
    return RULES[model].owner(caller)


def read_scope(model: type[Base]) -> str:
    """The scope that reading rows of `model` requires."""
    return f"{ENTITIES[model]}:read" if model in ENTITIES else Scope.ADMIN.value


def may_change(caller: Caller, operation: str) -> Principal:
    """The principal of `caller`, whose credential must have the scope of the change.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential lacks the scope.
    """
    return signed_in(caller, CHANGES.get(operation) or STREAMED_CHANGES.get(operation, Scope.WRITE))


def effective_scopes(caller: Caller) -> list[str]:
    """The scopes of the caller's credential, without those that its account cannot use, in the order of `SCOPES`.

    Raises:
        Unauthenticated: the caller is not signed in.
    """
    principal = authenticated(caller)
    unusable = set() if principal.is_admin else {Scope.ADMIN, CONTROL}
    return [str(scope) for scope in SCOPES if scope in principal.scopes - unusable]


def service_reader(caller: Caller) -> Principal:
    """The principal of `caller`, an administrator whose credential has the scope `admin` or `services:control`.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the account is not an administrator, or the credential lacks both scopes.
    """
    if isinstance(caller, Principal) and caller.is_admin and caller.allows(CONTROL):
        return caller
    return administrator(caller)


def service_controller(caller: Caller) -> Principal:
    """The same with the scope `services:control`, or `write` and `admin`. Raises as `service_reader` does."""
    signed_in(caller, CONTROL)
    return service_reader(caller)


def may_halt(principal: Principal, uid: int | None) -> None:
    """Check that a caller may halt trading of a user, or of all users with None.

    Raises:
        Forbidden: it is another user, and the credential does not have all rights of an administrator.
    """
    if uid != principal.uid and not principal.admin:
        raise Forbidden("Only an administrator may halt trading of other users.")


def may_resume(principal: Principal, uid: int | None, halted_by: int) -> None:
    """Check that a caller may end a halt: of the caller's own trading and making, or any as an administrator.

    Raises:
        Forbidden: an administrator has halted trading of the caller, or of all users.
    """
    if not principal.admin and not uid == halted_by == principal.uid:
        raise Forbidden("An administrator has halted trading; only an administrator may end this halt.")


def depends_on_caller(model: type[Base]) -> bool:
    """False if every signed-in caller reads the same rows of `model`."""
    return RULES[model].depends_on_caller


def may_read(column: InstrumentedAttribute[Any], caller: Caller) -> bool:
    """True if the caller may read `column` in the rows that are visible to the caller.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read.
    """
    return reader(caller).admin or column not in ADMINISTRATIVE_COLUMNS


@cache
def _has_key(model: type[Base]) -> bool:
    """True if the table itself keeps rows apart: some tables of the platform have no key at all."""
    table = model.__table__
    assert isinstance(table, Table), "every model maps a table"
    return bool(table.primary_key) or any(isinstance(each, UniqueConstraint) for each in table.constraints)


def _distinct(rows: Select[Any], model: type[Base]) -> Select[Any]:
    """Of the rows that agree in the mapped key only the first stored one.

    Equal rows cannot be distinguished: neither a cursor nor an opaque id could name one of them.
    """
    twin = aliased(model, name="twin")
    columns = [inspect(model).get_property_by_column(column).class_attribute for column in inspect(model).primary_key]
    agrees = [getattr(twin, column.key) == column for column in columns]
    # `ctid`, the place of a row on disk, is the only difference between twins.
    earlier = literal_column("twin.ctid") < literal_column(f"{model.__tablename__}.ctid")
    return rows.where(~exists().where(*agrees, earlier).correlate(model))
