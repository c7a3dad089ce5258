"""How often a client wants to hear of a state."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.errors import BadUserInput

MaxRate = Annotated[
    float | None,
    strawberry.argument(description="At most so many frames per second; what came between is folded into the next."),
]


def pause_of(max_rate: float | None) -> float:
    """Seconds between two frames.

    Raises:
        BadUserInput: the rate is not above 0.
    """
    if max_rate is None:
        return 0.0
    if not max_rate > 0:
        raise BadUserInput(f"`maxRate` is {max_rate}; it takes a number above 0.", field="maxRate")
    return 1 / max_rate
