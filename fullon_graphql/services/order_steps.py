"""Steps and minimums of an exchange: what it would refuse in an order, with the nearest value that it accepts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final, Protocol

from fullon_graphql.errors import BadUserInput

EXACT: Final = Context(prec=60)
"""Enough digits for the largest volume in the smallest steps."""

FINEST: Final = 1e-8
"""The step of volumes if the exchange publishes none."""


class Steps(Protocol):
    """The limits of an exchange for orders for a symbol; None if unknown."""

    @property
    def exchange(self) -> str: ...
    @property
    def price_step(self) -> float | None: ...
    @property
    def amount_step(self) -> float | None: ...
    @property
    def min_notional(self) -> float | None: ...


def check_steps(order: Mapping[str, Any], steps: Steps) -> None:
    """Require that the exchange accepts the `volume`, `price` and `plimit` of an order.

    Raises:
        BadUserInput: it would not; the message has the nearest valid value.
    """
    for field, step in (("volume", steps.amount_step), ("price", steps.price_step), ("plimit", steps.price_step)):
        value = order.get(field)
        if value is not None and step and (nearest := _nearest(value, step)) is not None:
            raise BadUserInput(
                f"`{field}` is {_plain(value)}; {steps.exchange} accepts multiples of {_plain(step)}, the nearest is"
                f" {_plain(nearest)}.",
                field=field,
            )
    price = order.get("plimit") or order.get("price")
    if not price or not steps.min_notional:
        return
    if EXACT.multiply(_exact(order["volume"]), _exact(price)) < _exact(steps.min_notional):
        least = _multiple(EXACT.divide(_exact(steps.min_notional), _exact(price)), steps.amount_step or FINEST, up=True)
        raise BadUserInput(
            f"`volume` times price is less than {_plain(steps.min_notional)}, the least value of an order on"
            f" {steps.exchange}; `volume` must be at least {_plain(least)}.",
            field="volume",
        )


def _nearest(value: float, step: float) -> Decimal | None:
    """The nearest multiple of `step` above 0, or None if `value` is a multiple."""
    nearest = max(_multiple(_exact(value), step), _exact(step))
    return None if nearest == _exact(value) else nearest


def _multiple(value: Decimal, step: float, *, up: bool = False) -> Decimal:
    """The nearest multiple of `step`, or the next one that is not smaller."""
    rounding = ROUND_CEILING if up else ROUND_HALF_EVEN
    count = EXACT.divide(value, _exact(step)).quantize(Decimal(1), rounding, EXACT)
    return EXACT.multiply(count, _exact(step))


def _exact(value: float) -> Decimal:
    return Decimal(str(value))


def _plain(value: float | Decimal) -> str:
    """A number without an exponent and without zeros at the end."""
    text = f"{Decimal(str(value)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
