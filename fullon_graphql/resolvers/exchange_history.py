"""Queries about what accounts held in the past."""

from __future__ import annotations

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.root import root_connection
from fullon_graphql.schema.exchange_history import ExchangeHistory


@strawberry.type
class ExchangeHistoryQueries:
    exchange_history: Connection[ExchangeHistory] = root_connection(
        "What the accounts you may see have held, by account and time: your own, or all as administrator.",
        ExchangeHistory,
    )
