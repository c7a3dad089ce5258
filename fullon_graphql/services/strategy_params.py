"""Parameters of strategies: one sees those of one's own bots' strategies."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Strategy, StrategyParam
from fullon_graphql.services import strategies
from fullon_graphql.services.access import rows_of


def visible(caller: Caller) -> Select[tuple[StrategyParam]]:
    """The parameters of strategies `caller` may see."""
    own_strategies = strategies.visible(caller).with_only_columns(Strategy.str_id)
    return rows_of(StrategyParam, StrategyParam.str_id, own_strategies, caller)
