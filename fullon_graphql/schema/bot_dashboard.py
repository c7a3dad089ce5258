"""How many bots somebody has, and how much they do."""

from __future__ import annotations

import strawberry


@strawberry.type(description="Counts of bots and of what they ever did.")
class BotDashboard:
    total_bots: int = strawberry.field(description="How many bots there are.")
    active_bots: int = strawberry.field(description="Those that are switched on.")
    dry_run_bots: int = strawberry.field(description="Those that only simulate their trades, switched on or off.")
    total_trades: int = strawberry.field(description="Live trades on the accounts in question.")
    total_dry_trades: int = strawberry.field(description="Simulated trades.")
    total_orders: int = strawberry.field(description="Orders of any status.")
    open_orders: int = strawberry.field(description="Orders that are neither filled, canceled nor rejected.")
