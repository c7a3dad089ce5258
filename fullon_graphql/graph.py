"""The schema, composed from the root fields of every entity. A new entity adds its classes here."""

from __future__ import annotations

from functools import cache, cached_property
from itertools import chain
from typing import Any, Final, cast

import strawberry
from graphql import GraphQLInputObjectType, GraphQLObjectType, GraphQLSchema, GraphQLUnionType, Undefined
from strawberry.federation import Schema
from strawberry.federation.schema import FederationAny
from strawberry.schema.config import StrawberryConfig

from fullon_graphql.config import Subgraph
from fullon_graphql.context import Info
from fullon_graphql.engine.cost import SIZE, length_of
from fullon_graphql.engine.fields.root import MOST_NODES, NODES
from fullon_graphql.engine.lists.pages import MAX_PAGE_SIZE
from fullon_graphql.engine.model.global_ids import Reference
from fullon_graphql.engine.subgraphs import REPRESENTATIONS, restrict
from fullon_graphql.errors import BadUserInput
from fullon_graphql.resolvers.alerts import AlertMutations, AlertQueries
from fullon_graphql.resolvers.api_keys import ApiKeyMutations, ApiKeyQueries
from fullon_graphql.resolvers.audit import AuditQueries
from fullon_graphql.resolvers.bot_dashboard import BotDashboardQueries
from fullon_graphql.resolvers.bot_logs import BotLogQueries
from fullon_graphql.resolvers.bots import BotMutations, BotQueries
from fullon_graphql.resolvers.candles import CandleQueries
from fullon_graphql.resolvers.cat_exchanges import CatExchangeMutations, CatExchangeQueries
from fullon_graphql.resolvers.cat_strategies import CatStrategyMutations, CatStrategyQueries
from fullon_graphql.resolvers.dry_trades import DryTradeMutations, DryTradeQueries
from fullon_graphql.resolvers.exchanges import ExchangeMutations, ExchangeQueries
from fullon_graphql.resolvers.feeds import FeedMutations, FeedQueries
from fullon_graphql.resolvers.halts import HaltMutations, HaltQueries
from fullon_graphql.resolvers.market_feeds import MarketFeedQueries
from fullon_graphql.resolvers.nodes import NodeQueries
from fullon_graphql.resolvers.order_statistics import OrderStatisticsQueries
from fullon_graphql.resolvers.orders import OrderMutations, OrderQueries
from fullon_graphql.resolvers.performance import PerformanceQueries
from fullon_graphql.resolvers.portfolio import PortfolioQueries
from fullon_graphql.resolvers.processes import ProcessQueries
from fullon_graphql.resolvers.results import ResultQueries
from fullon_graphql.resolvers.services import ServiceMutations, ServiceQueries
from fullon_graphql.resolvers.sessions import SessionMutations, SessionQueries
from fullon_graphql.resolvers.simulations import SimulationQueries
from fullon_graphql.resolvers.strategies import StrategyMutations, StrategyQueries
from fullon_graphql.resolvers.symbols import SymbolMutations, SymbolQueries
from fullon_graphql.resolvers.tickers import TickerQueries
from fullon_graphql.resolvers.trade_statistics import TradeStatisticsQueries
from fullon_graphql.resolvers.trades import TradeMutations, TradeQueries
from fullon_graphql.resolvers.user_summary import UserSummaryQueries
from fullon_graphql.resolvers.users import UserMutations, UserQueries
from fullon_graphql.resolvers.webhooks import WebhookMutations, WebhookQueries
from fullon_graphql.schema.alerts import AlertEvent, AlertRule
from fullon_graphql.schema.api_keys import ApiKey
from fullon_graphql.schema.audit import AuditEntry
from fullon_graphql.schema.bot_logs import BotLog
from fullon_graphql.schema.bots import Bot
from fullon_graphql.schema.cat_exchanges import CatExchange, CatExchangeParam
from fullon_graphql.schema.cat_strategies import CatStrategy, CatStrategyParam
from fullon_graphql.schema.dry_trades import DryTrade
from fullon_graphql.schema.exchanges import Exchange, ExchangeHistory
from fullon_graphql.schema.feeds import Feed
from fullon_graphql.schema.orders import Order
from fullon_graphql.schema.sessions import Session
from fullon_graphql.schema.simulations import Simulation
from fullon_graphql.schema.strategies import Strategy, StrategyParam
from fullon_graphql.schema.support.nodes import find, represented
from fullon_graphql.schema.support.scalars import SCALARS
from fullon_graphql.schema.symbols import Symbol
from fullon_graphql.schema.trades import Trade
from fullon_graphql.schema.users import User
from fullon_graphql.schema.webhooks import Webhook, WebhookDelivery
from fullon_graphql.subscriptions.accounts import AccountSubscriptions
from fullon_graphql.subscriptions.alerts import AlertSubscriptions
from fullon_graphql.subscriptions.audit import AuditSubscriptions
from fullon_graphql.subscriptions.bot_logs import BotLogSubscriptions
from fullon_graphql.subscriptions.bots import BotSubscriptions
from fullon_graphql.subscriptions.candles import CandleSubscriptions
from fullon_graphql.subscriptions.dry_trades import DryTradeSubscriptions
from fullon_graphql.subscriptions.halts import HaltSubscriptions
from fullon_graphql.subscriptions.market_feeds import MarketFeedSubscriptions
from fullon_graphql.subscriptions.orders import OrderSubscriptions
from fullon_graphql.subscriptions.processes import ProcessSubscriptions
from fullon_graphql.subscriptions.replay import ReplaySubscriptions
from fullon_graphql.subscriptions.services import ServiceSubscriptions
from fullon_graphql.subscriptions.tickers import TickerSubscriptions
from fullon_graphql.subscriptions.trades import TradeSubscriptions

ENTITIES = [
    User,
    Session,
    ApiKey,
    Bot,
    Strategy,
    StrategyParam,
    Feed,
    Simulation,
    BotLog,
    Order,
    Trade,
    DryTrade,
    Exchange,
    ExchangeHistory,
    CatExchange,
    CatExchangeParam,
    CatStrategy,
    CatStrategyParam,
    Symbol,
    AuditEntry,
    AlertRule,
    AlertEvent,
    Webhook,
    WebhookDelivery,
]
"""The types that a federated gateway may request by key."""

MOST_REPRESENTATIONS: Final = 3000
"""Rows that a gateway may request of a subgraph at once, which are all rows of a nested list."""


@strawberry.type(description="The queries.")
class Query(
    UserQueries,
    SessionQueries,
    ApiKeyQueries,
    BotQueries,
    StrategyQueries,
    FeedQueries,
    SimulationQueries,
    BotLogQueries,
    HaltQueries,
    OrderQueries,
    TradeQueries,
    DryTradeQueries,
    ExchangeQueries,
    CatExchangeQueries,
    CatStrategyQueries,
    SymbolQueries,
    CandleQueries,
    TickerQueries,
    AuditQueries,
    ServiceQueries,
    MarketFeedQueries,
    ProcessQueries,
    TradeStatisticsQueries,
    PerformanceQueries,
    ResultQueries,
    OrderStatisticsQueries,
    BotDashboardQueries,
    PortfolioQueries,
    UserSummaryQueries,
    AlertQueries,
    WebhookQueries,
    NodeQueries,
):
    pass


@strawberry.type(description="The mutations.")
class Mutation(
    SessionMutations,
    BotMutations,
    ExchangeMutations,
    StrategyMutations,
    FeedMutations,
    OrderMutations,
    TradeMutations,
    DryTradeMutations,
    ApiKeyMutations,
    UserMutations,
    SymbolMutations,
    CatExchangeMutations,
    CatStrategyMutations,
    ServiceMutations,
    HaltMutations,
    AlertMutations,
    WebhookMutations,
):
    pass


@strawberry.type(description="The subscriptions.")
class Subscription(
    TickerSubscriptions,
    CandleSubscriptions,
    ReplaySubscriptions,
    OrderSubscriptions,
    TradeSubscriptions,
    DryTradeSubscriptions,
    BotLogSubscriptions,
    AccountSubscriptions,
    BotSubscriptions,
    ProcessSubscriptions,
    ServiceSubscriptions,
    MarketFeedSubscriptions,
    AuditSubscriptions,
    AlertSubscriptions,
    HaltSubscriptions,
):
    pass


class Graph(Schema):
    """The federated schema, whole or one subgraph of it."""

    most_representations = MAX_PAGE_SIZE

    def restrict(self, subgraph: Subgraph) -> None:
        """Leave only what `subgraph` answers."""
        self._schema, link = restrict(self._schema, subgraph)
        self.schema_directives = [link]
        if self._schema.mutation_type is None:
            self.mutation = None
        self.most_representations = MOST_REPRESENTATIONS

    def entities_resolver(self, info: Info, representations: list[FederationAny]) -> list[FederationAny]:
        """The row of each representation, loaded in one batch. One that fails does not fail the others."""
        if len(representations) > self.most_representations:
            raise BadUserInput(
                f"{len(representations)} representations came; it takes at most {self.most_representations}."
            )
        found = [self._find(info, representation) for representation in representations]
        return cast("list[FederationAny]", found)  # graphql-core awaits them together

    def declare_entities(self) -> None:
        """Declare to plans how `_entities`, which Strawberry defines, identifies rows."""
        assert self.core.query_type is not None, "make_graph passes one"
        self.core.query_type.fields[REPRESENTATIONS].extensions["strawberry-definition"].metadata = {
            NODES: lambda arguments: list(map(self._reference, arguments["representations"])),
            MOST_NODES: self.most_representations,
            SIZE: length_of("representations"),
        }

    async def _find(self, info: Info, representation: FederationAny) -> Any:
        return await find(info, self._reference(representation))  # raises for this representation alone

    def _reference(self, representation: object) -> Reference | None:
        return represented(representation, self._entity_names)

    @cached_property
    def _entity_names(self) -> frozenset[str]:
        entities = self.core.type_map["_Entity"]
        assert isinstance(entities, GraphQLUnionType), "Strawberry declares it"
        return frozenset(type_.name for type_ in entities.types)

    @property
    def core(self) -> GraphQLSchema:
        """The same schema as graphql-core has it."""
        return self._schema


@cache
def make_graph(subgraph: Subgraph | None = None) -> Graph:
    """The whole schema or one subgraph, built at the first call and shared in the process."""
    graph = Graph(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        config=StrawberryConfig(scalar_map=SCALARS),
        federation_version="2.9",
        types=ENTITIES,
    )
    _leave_out_null_defaults(graph.core)
    if subgraph:
        graph.restrict(subgraph)
    graph.declare_entities()
    return graph


def _leave_out_null_defaults(schema: GraphQLSchema) -> None:
    """Remove null defaults: `= None` in Python means an optional argument or input field without a default."""
    for type_ in schema.type_map.values():
        match type_:
            case GraphQLObjectType():
                inputs = chain.from_iterable(field.args.values() for field in type_.fields.values())
            case GraphQLInputObjectType():
                inputs = iter(type_.fields.values())
            case _:
                continue
        for input_ in inputs:
            if input_.default_value is None:
                input_.default_value = Undefined
