"""The limit on the cost of open subscriptions: the estimated cost of an event times the events per second."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable
from typing import Any, Final

from fullon_graphql.config import Settings
from fullon_graphql.errors import QueryTooComplex, RateLimited
from fullon_graphql.observability.metrics import Metrics, count_limit

ASSUMED_RATE: Final = 10.0
"""Events per second of a subscription without `maxRate`."""


PACED_RATE: Final = 500.0
"""The same of a stream that is as fast as its subscriber."""


def cost_per_second(event: int, max_rate: Any, *, paced: bool = False) -> int:
    """The cost of a subscription whose events cost `event`; an invalid rate is reported by the stream."""
    valid = isinstance(max_rate, int | float) and max_rate > 0
    return (
        math.ceil(event * min(max_rate, 1e9)) if valid else math.ceil(event * (PACED_RATE if paced else ASSUMED_RATE))
    )


class CostBudget:
    """The cost per second that open subscriptions of this worker reserve, by socket and by account."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._by_account: Counter[Hashable] = Counter()
        self._by_socket: Counter[Hashable] = Counter()

    def reserve(self, uid: int, socket: Hashable, cost: int, settings: Settings) -> None:
        """Reserve `cost` until `release`.

        Raises:
            QueryTooComplex: the subscription alone costs more than is allowed.
            RateLimited: the socket or the account has too little left.
        """
        limits: tuple[tuple[str, int, Counter[Hashable], Hashable], ...] = (
            ("SUBSCRIPTION_COST_PER_SOCKET", settings.subscription_cost_per_socket, self._by_socket, (uid, socket)),
            ("SUBSCRIPTION_COST_PER_USER", settings.subscription_cost_per_user, self._by_account, uid),
        )
        for name, limit, reserved, key in limits:
            if limit and reserved[key] + cost > limit:
                count_limit(name)
                raise _refusal(cost, reserved[key], limit)
        self._add(uid, socket, cost)

    def release(self, uid: int, socket: Hashable, cost: int) -> None:
        """End the reservation of `cost`."""
        self._add(uid, socket, -cost)

    def _add(self, uid: int, socket: Hashable, cost: int) -> None:
        for reserved, key in ((self._by_socket, (uid, socket)), (self._by_account, uid)):
            reserved[key] += cost
            if not reserved[key]:
                del reserved[key]
        self._metrics.stream_cost.inc(cost)


def _refusal(cost: int, reserved: int, limit: int) -> QueryTooComplex | RateLimited:
    advice = "Select less, or pass a lower `maxRate`"
    if cost > limit:
        message = f"This subscription has an estimated cost of {cost} per second; {limit} is allowed. {advice}."
        return QueryTooComplex(message, cost=cost, limit=limit)
    message = (
        f"Your subscriptions may cost {limit} per second; {limit - reserved} is left and this one costs {cost}."
        f" {advice}, or end some."
    )
    return RateLimited(message, retry_after=1, limit=limit, cost=cost)
