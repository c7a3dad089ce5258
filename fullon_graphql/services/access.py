"""Access rules: which rows of each table a caller may read.

Every list, look-up, relation, change and stream of rows starts from `visible`, so no path leads around a rule. Rows
that a caller may not read do not exist for that caller. A model without a rule fails a test.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final

from sqlalchemy import ColumnElement, Select, Table, UniqueConstraint, exists, inspect, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from fullon_graphql.auth.principal import Caller, administrator, signed_in
from fullon_graphql.errors import Forbidden
from fullon_graphql.models import (
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
    IdempotencyRecord,
    Order,
    Session,
    Simulation,
    Strategy,
    StrategyParam,
    Symbol,
    Trade,
    User,
)


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

    def condition(self, owner: int) -> ColumnElement[bool]:
        """The condition that holds for the rows of `owner`."""
        raise NotImplementedError(f"{type(self).__name__} does not divide rows by owner.")


class Everybody(Rule):
    """All rows, for every signed-in caller: the catalogue and market data."""

    depends_on_caller = False

    def owner(self, caller: Caller) -> None:
        signed_in(caller)


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
        principal = signed_in(caller)
        return None if principal.admin else principal.uid


@dataclass(frozen=True)
class OwnedBy(_PerOwner):
    """The rows whose `column` is the caller's uid; all rows for administrators."""

    column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]

    def condition(self, owner: int) -> ColumnElement[bool]:
        return self.column == owner


@dataclass(frozen=True)
class Through(_PerOwner):
    """The rows whose `column` is the key of a `parent` row that the caller may read.

    Administrators read all rows, also those without a parent.
    """

    column: InstrumentedAttribute[int] | InstrumentedAttribute[int | None]
    parent: type[Base]

    def condition(self, owner: int) -> ColumnElement[bool]:
        [key] = inspect(self.parent).primary_key
        parents = select(key).where(RULES[self.parent].condition(owner))
        # Not correlated: a relation may join the parent table around this condition, and that is a different row.
        return self.column.in_(parents.correlate(None))


RULES: Final[Mapping[type[Base], Rule]] = {
    # People and their credentials
    User: OwnedBy(User.uid),
    Session: OwnedBy(Session.uid),
    ApiKey: OwnedBy(ApiKey.uid),
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
    # The catalogue
    CatExchange: Everybody(),
    CatExchangeParam: Everybody(),
    CatStrategy: Everybody(),
    CatStrategyParam: Everybody(),
    Symbol: Everybody(),
    # Operation
    AuditEntry: Administrators(),
    Change: Internal(),
    ChangesFloor: Internal(),
    IdempotencyRecord: Internal(),
}

ADMINISTRATIVE_COLUMNS: Final = frozenset({CatExchangeParam.value})
"""Columns that only administrators read, of tables that other callers read too. The platform may keep keys in them."""


def visible(model: type[Base], caller: Caller) -> Select[Any]:
    """The rows of `model` that the caller may read. Rows of a table without a key appear once per content.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read, or the table is closed to the caller.
    """
    rule = RULES[model]
    owner = rule.owner(caller)
    rows = select(model) if owner is None else select(model).where(rule.condition(owner))
    return rows if _has_key(model) else _distinct(rows, model)


def visible_owner(model: type[Base], caller: Caller) -> int | None:
    """The uid whose rows of `model` the caller may read; None for all rows. Raises as `visible` does."""
    return RULES[model].owner(caller)


def depends_on_caller(model: type[Base]) -> bool:
    """False if every signed-in caller reads the same rows of `model`."""
    return RULES[model].depends_on_caller


def may_read(column: InstrumentedAttribute[Any], caller: Caller) -> bool:
    """True if the caller may read `column` in the rows that are visible to the caller.

    Raises:
        Unauthenticated: the caller is not signed in.
        Forbidden: the credential may not read.
    """
    return signed_in(caller).admin or column not in ADMINISTRATIVE_COLUMNS


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
