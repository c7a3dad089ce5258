"""The catalogue of exchanges."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_many
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import CatExchangeParamRef, ExchangeRef, SymbolRef, TickerRef
from fullon_graphql.schema.tickers import TICKERS_OF_EXCHANGE


@entity(models.CatExchange)
class CatExchange(Node):
    """An exchange the platform can trade on."""

    cat_ex_id: int = column("Key of the exchange.")
    name: str = column("Lower-case name, e.g. `kraken`: what other fields call `exchange`.")

    symbols: Connection[SymbolRef] = connection(
        "The instruments traded there, by key.", relation("Symbol", "cat_ex_id", models.Symbol.cat_ex_id)
    )
    accounts: Connection[ExchangeRef] = connection(
        "People's accounts there that you may see, by key.",
        relation("Exchange", "cat_ex_id", models.Exchange.cat_ex_id),
    )
    params: list[CatExchangeParamRef] = to_many(
        "Its settings, by name.", relation("CatExchangeParam", "cat_ex_id", models.CatExchangeParam.cat_ex_id)
    )

    tickers: list[TickerRef] = batched("Live tickers of all its instruments, by symbol.", TICKERS_OF_EXCHANGE)


def exchange_name(table: type[models.Symbol | models.Exchange]) -> ColumnElement[str]:
    """The name of the exchange that a row of `table` belongs to: what tickers and candles are stored under."""
    catalogue = aliased(models.CatExchange)
    named = select(catalogue.name).where(catalogue.cat_ex_id == table.cat_ex_id)
    return named.correlate(table).scalar_subquery()


def exchange_of_account(table: type[models.Trade | models.DryTrade | models.BotLog]) -> ColumnElement[str | None]:
    """The name of the exchange on which the account of a row of `table` is; null where that account is gone."""
    catalogue, account = aliased(models.CatExchange), aliased(models.Exchange)
    named = select(catalogue.name).join(account, account.cat_ex_id == catalogue.cat_ex_id)
    return named.where(account.ex_id == table.ex_id).correlate(table).scalar_subquery()
