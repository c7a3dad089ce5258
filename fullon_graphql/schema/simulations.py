"""Simulated runs of bots."""

from __future__ import annotations

from strawberry.scalars import JSON

from fullon_graphql import models
from fullon_graphql.engine.fields.relation import to_one
from fullon_graphql.engine.model.columns import column
from fullon_graphql.engine.model.entities import entity
from fullon_graphql.engine.model.relations import relation
from fullon_graphql.schema.support.nodes import Node
from fullon_graphql.schema.support.references import BotRef


@entity(models.Simulation)
class Simulation(Node):
    """The result of a simulated run of a bot."""

    num: int = column("Key of the simulated run.")
    bot_id: int = column("Key of the bot.")
    name: str = column("Name of the run, unique within the bot.")
    json: JSON | None = column("The result, as the simulator wrote it.")

    bot: BotRef = to_one("The simulated bot.", relation("Bot", "bot_id", models.Bot.bot_id))
