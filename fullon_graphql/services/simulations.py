"""Simulated runs of bots: one sees those of one's own bots."""

from __future__ import annotations

from sqlalchemy import Select

from fullon_graphql.auth.principal import Caller
from fullon_graphql.models import Bot, Simulation
from fullon_graphql.services import bots
from fullon_graphql.services.access import rows_of


def visible(caller: Caller) -> Select[tuple[Simulation]]:
    """The simulated runs `caller` may see."""
    return rows_of(Simulation, Simulation.bot_id, bots.visible(caller).with_only_columns(Bot.bot_id), caller)
