"""Bots."""

from __future__ import annotations

from typing import Annotated, cast

import strawberry
from sqlalchemy import func

from fullon_graphql import models
from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.relation import connection, to_many, to_one
from fullon_graphql.engine.model.batches import BATCH, batched
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import Join, relation
from fullon_graphql.schema.bot_status import STATUS_OF_BOT, BotStatus
from fullon_graphql.schema.ledger import Currency, Days, From, To
from fullon_graphql.schema.support.arguments import EXPECTED_TIMESTAMP
from fullon_graphql.schema.support.claims import BLOCKS_OF_BOT, OPENINGS_OF_BOT, Claim
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
from fullon_graphql.services.analytics.ledger import TradeKind

_IN_BOT = Join(models.BotExchange, models.BotExchange.ex_id == models.Exchange.ex_id)
_STRATEGY_OF_FEED = Join(models.Strategy, models.Strategy.str_id == models.Feed.str_id)


@entity(models.Bot)
class Bot(Node):
    """A trading robot of one person."""

    bot_id: int = column("Key of the bot.")
    uid: int = column("Key of the owner.")
    name: str = column("Name given by the owner; two bots may share one.")
    active: bool = column("True while the bot is switched on.", filterable=True)
    dry_run: bool = column(
        "True where the bot only simulates its trades.", func.coalesce(models.Bot.dry_run, False), filterable=True
    )
    timestamp: DateTime = column("When the bot was made.", filterable=True)

    user: UserRef = to_one("The owner.", relation("User", "uid", models.User.uid))
    exchanges: list[ExchangeRef] = to_many(
        "The accounts the bot trades on, by key.", relation("Exchange", "bot_id", models.BotExchange.bot_id, _IN_BOT)
    )
    strategies: list[StrategyRef] = to_many(
        "The strategies at work in the bot, by key.", relation("Strategy", "bot_id", models.Strategy.bot_id)
    )
    feeds: list[FeedRef] = to_many(
        "What the bot's strategies listen to, by key.",
        relation("Feed", "bot_id", models.Strategy.bot_id, _STRATEGY_OF_FEED),
    )
    simulations: list[SimulationRef] = to_many(
        "Simulated runs of the bot, by key.", relation("Simulation", "bot_id", models.Simulation.bot_id)
    )
    orders: Connection[OrderRef] = connection(
        "The bot's orders, by key.", relation("Order", "bot_id", models.Order.bot_id)
    )
    dry_trades: Connection[DryTradeRef] = connection(
        "The bot's simulated trades, by key.", relation("DryTrade", "bot_id", models.DryTrade.bot_id)
    )
    logs: Connection[BotLogRef] = connection(
        "What the bot has written, oldest first; give `last` for the newest.",
        relation("BotLog", "bot_id", models.BotLog.bot_id),
    )

    status: list[BotStatus] = batched(
        "What the bot says now, one entry per feed, by number; empty while it says nothing.", STATUS_OF_BOT
    )
    blocks: list[Claim] = batched("Instruments it keeps other bots away from, by account and symbol.", BLOCKS_OF_BOT)
    openings: list[Claim] = batched("Instruments it is just opening a position in.", OPENINGS_OF_BOT)

    @strawberry.field(
        description="What the bot's trades amounted to. A live trade is the bot's where one of its orders led to it.",
        metadata={BATCH: STATISTICS_OF_BOT},
    )
    async def statistics(
        self,
        info: Info,
        kind: Annotated[
            TradeKind | None,
            strawberry.argument(
                description="Live trades, or simulated ones; unless given, simulated ones for a bot in dry run."
            ),
        ] = None,
        from_: From = None,
        to: To = None,
        days: Days = None,
        currency: Currency = "USD",
    ) -> TradeStatistics:
        found = await STATISTICS_OF_BOT.of(
            info.context, self, kind=kind, from_=from_, to=to, days=days, currency=currency
        )
        return cast("TradeStatistics", found)


@strawberry.input(description="What a new bot is to be.")
class CreateBotInput:
    name: str = strawberry.field(description="At most 50 characters; two bots may share one.")
    active: bool | None = strawberry.field(description="True to switch it on at once.", default=False)
    dry_run: bool | None = strawberry.field(description="True for a bot that only simulates its trades.", default=True)


@strawberry.input(description="What is to change of a bot. What is left out, or null, stays as it is.")
class UpdateBotInput:
    bot_id: int = strawberry.field(description="Key of the bot.")
    name: str | None = strawberry.field(description="Its new name.", default=strawberry.UNSET)
    active: bool | None = strawberry.field(description="Whether it is switched on.", default=strawberry.UNSET)
    dry_run: bool | None = strawberry.field(
        description="Whether it only simulates its trades.", default=strawberry.UNSET
    )
    expected_timestamp: DateTime | None = strawberry.field(description=EXPECTED_TIMESTAMP, default=None)
