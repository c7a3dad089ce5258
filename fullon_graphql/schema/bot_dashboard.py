"""Counts over bots."""

from __future__ import annotations

import strawberry

from fullon_graphql.schema.support.records import FromRecord


@strawberry.type(description="Counts of bots, and of their orders and trades of all time.")
class BotDashboard(FromRecord):
    total_bots: int = strawberry.field(description="Number of bots.")
    active_bots: int = strawberry.field(description="Number of bots that are switched on.")
    dry_run_bots: int = strawberry.field(description="Number of bots in dry run, switched on or off.")
    total_trades: int = strawberry.field(description="Number of live trades on the exchange accounts.")
    total_dry_trades: int = strawberry.field(description="Number of simulated trades.")
    total_orders: int = strawberry.field(description="Number of orders of any status.")
    open_orders: int = strawberry.field(description="Number of orders that are not filled, canceled or rejected.")
