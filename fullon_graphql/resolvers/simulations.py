"""Queries about simulated runs."""

from __future__ import annotations

import strawberry

from fullon_graphql.engine.fields.connection import Connection
from fullon_graphql.engine.fields.root import root_connection, root_row
from fullon_graphql.schema.simulations import Simulation


@strawberry.type
class SimulationQueries:
    simulations: Connection[Simulation] = root_connection(
        "The simulated runs you may see, by key: those of your own bots, or all for administrators.", Simulation
    )

    simulation: Simulation | None = root_row(
        "The simulated run with this key; null if there is none you may see.", Simulation
    )
