"""Bots."""

from __future__ import annotations

import strawberry
from sqlalchemy import func

from fullon_graphql import models
from fullon_graphql.engine.fields.connection import StreamedConnection
from fullon_graphql.engine.fields.relation import connection, to_many, to_one
from fullon_graphql.engine.model.batches import batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.schema.bot_status import STATUS_OF_BOT, BotStatus
from fullon_graphql.schema.support.claims import BLOCKS_OF_BOT, OPENINGS_OF_BOT, Claim
from fullon_graphql.schema.support.inputs import expected_timestamp, optional, required
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import (
    BotLogRef,
    DryTradeRef,
    ExchangeRef,
    FeedRef,
    OrderRef,
    SimulationRef,
    StrategyRef,
    UserRef,
)
from fullon_graphql.schema.support.scalars import DateTime
from fullon_graphql.schema.trade_statistics import STATISTICS_OF_BOT, TradeStatistics

_IN_BOT = Join(models.BotExchange, models.BotExchange.ex_id == models.Exchange.ex_id)
_STRATEGY_OF_FEED = Join(models.Strategy, models.Strategy.str_id == models.Feed.str_id)


@entity(models.Bot)
class Bot(Node):
    """A trading bot of one user."""

    bot_id: int = column("Key of the bot.")
    uid: int = column("`uid` of the owner.")
    name: str = column("Name chosen by the owner; not unique.")
    active: bool = column("True if the bot is switched on.", filterable=True)
    dry_run: bool = column(
        "True if the bot only simulates its trades.", func.coalesce(models.Bot.dry_run, False), filterable=True
    )
    timestamp: DateTime = column("Time of creation.", filterable=True)

    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    exchanges: list[ExchangeRef] = to_many(
        "The exchange accounts the bot trades on, by key.",
        relation("Exchange", "bot_id", models.BotExchange.bot_id, _IN_BOT),
    )
    strategies: list[StrategyRef] = to_many(
        "The strategies of the bot, by key.", relation("Strategy", "bot_id", models.Strategy.bot_id)
    )
    feeds: list[FeedRef] = to_many(
        "The feeds of the bot's strategies, by key.",
        relation("Feed", "bot_id", models.Strategy.bot_id, _STRATEGY_OF_FEED),
    )
    simulations: list[SimulationRef] = to_many(
        "The simulated runs of the bot, by key.", relation("Simulation", "bot_id", models.Simulation.bot_id)
    )
    orders: StreamedConnection[OrderRef] = connection(
        "The bot's orders, by key.", relation("Order", "bot_id", models.Order.bot_id)
    )
    dry_trades: StreamedConnection[DryTradeRef] = connection(
        "The bot's simulated trades, by key.", relation("DryTrade", "bot_id", models.DryTrade.bot_id)
    )
    logs: StreamedConnection[BotLogRef] = connection(
        "The bot's log lines, oldest first; use `last` for the newest.",
        relation("BotLog", "bot_id", models.BotLog.bot_id),
    )

    status: list[BotStatus] = batched(
        "Live status of the bot, one entry per feed, by feed number; empty if the bot publishes none.", STATUS_OF_BOT
    )
    blocks: list[Claim] = batched(
        "Instruments that the bot has blocked for other bots, by exchange account and symbol.", BLOCKS_OF_BOT
    )
    openings: list[Claim] = batched("Instruments in which the bot is opening a position.", OPENINGS_OF_BOT)
    statistics: TradeStatistics = batched(
        "Statistics of the bot's trades. A live trade belongs to the bot if it filled one of the bot's orders.",
        STATISTICS_OF_BOT,
    )


@strawberry.input(description="A new bot.")
class CreateBotInput:
    name: str = required("Name of the bot, at most 50 characters; not unique.")
    active: bool | None = optional("If true, the bot is switched on at once.", False)
    dry_run: bool | None = optional("If true, the bot only simulates its trades.", True)


@strawberry.input(description="Changes of a bot. A field that is omitted or null keeps its value.")
class UpdateBotInput:
    bot_id: int = required("Key of the bot.")
    name: str | None = optional("New name.")
    active: bool | None = optional("Whether the bot is switched on.")
    dry_run: bool | None = optional("Whether the bot only simulates its trades.")
    expected_timestamp: DateTime | None = expected_timestamp()
