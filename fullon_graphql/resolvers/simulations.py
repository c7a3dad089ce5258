"""Queries about simulated runs."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.context import Info
from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.root import by_key, one_row, root_connection
from fullon_graphql.schema.simulations import Simulation


@strawberry.type
class SimulationQueries:
    simulations: Connection[Simulation] = root_connection(
        "The simulated runs you may see, by key: those of your own bots, or all as administrator.", Simulation
    )

    @strawberry.field(
        description="The simulated run with this key; NOT_FOUND where there is none you may see.",
        metadata=by_key(Simulation),
    )
    async def simulation(
        self, info: Info, num: Annotated[int, strawberry.argument(description="Key of the run.")]
    ) -> Simulation | None:
        return await one_row(info.context, Simulation, num)
