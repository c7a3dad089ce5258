"""The catalogue of exchanges, with their settings."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from fullon_graphql import models
from fullon_graphql.engine.cost import list_size
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_many, to_one
from fullon_graphql.engine.model.batches import Batch, batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import (
    CatExchangeParamRef,
    CatExchangeRef,
    ExchangeRef,
    SymbolRef,
    TickerRef,
)
from fullon_graphql.schema.tickers import TICKERS_OF_EXCHANGE
from fullon_graphql.services import cat_exchanges


@entity(models.CatExchange)
class CatExchange(Node):
    """An exchange that the platform can trade on."""

    cat_ex_id: int = column("Key of the exchange in the catalogue.")
    name: str = column("Name in lower case, e.g. `kraken`. Other types refer to it as `exchange`.")

    symbols: Connection[SymbolRef] = connection(
        "The instruments traded on this exchange, by key.", relation("Symbol", "cat_ex_id", models.Symbol.cat_ex_id)
    )
    accounts: Connection[ExchangeRef] = connection(
        "The exchange accounts you may see on this exchange, by key.",
        relation("Exchange", "cat_ex_id", models.Exchange.cat_ex_id),
    )
    params: list[CatExchangeParamRef] = to_many(
        "The settings of this exchange, by name.",
        relation("CatExchangeParam", "cat_ex_id", models.CatExchangeParam.cat_ex_id),
    )

    tickers: list[TickerRef] = batched(
        "Live tickers of all its instruments, by symbol.", TICKERS_OF_EXCHANGE, directives=[list_size(100)]
    )


VALUE_OF_PARAM = Batch(("cat_ex_id", "name"), cat_exchanges.values_of_params)


@entity(models.CatExchangeParam)
class CatExchangeParam(Node):
    """One setting of an exchange in the catalogue."""

    cat_ex_id: int = column("Key of the exchange in the catalogue.")
    name: str = column("Name of the setting, unique within the exchange.")

    value: str | None = batched(
        "Value as text. Settings can hold credentials, so the value is null unless you are an administrator.",
        VALUE_OF_PARAM,
    )

    exchange: CatExchangeRef = to_one(
        "The exchange.", relation("CatExchange", "cat_ex_id", models.CatExchange.cat_ex_id)
    )


def exchange_name(table: type[models.Symbol | models.Exchange]) -> ColumnElement[str]:
    """The name of the exchange of a row of `table`; tickers and candles are stored under it."""
    catalogue = aliased(models.CatExchange)
    named = select(catalogue.name).where(catalogue.cat_ex_id == table.cat_ex_id)
    return named.correlate(table).scalar_subquery()


def exchange_of_account(table: type[models.Trade | models.DryTrade | models.BotLog]) -> ColumnElement[str | None]:
    """The name of the exchange of a row's exchange account; null if the account no longer exists."""
    catalogue, account = aliased(models.CatExchange), aliased(models.Exchange)
    named = select(catalogue.name).join(account, account.cat_ex_id == catalogue.cat_ex_id)
    return named.where(account.ex_id == table.ex_id).correlate(table).scalar_subquery()
