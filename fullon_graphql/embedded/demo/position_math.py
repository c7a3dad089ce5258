"""Position arithmetic: the running figures of the table `trades`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

FEE: Final = 0.0026
"""The fee of the exchange, as a part of a trade's cost."""

_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Position:
    """A position: `volume` in base currency (negative for a short), average `price`, and `fee` paid so far (quote)."""

    volume: float = 0.0
    price: float = 0.0
    fee: float = 0.0

    def after(self, change: float, price: float, fee: float) -> Self:
        """The position after buying `change` (negative: selling) at `price`. Only growth changes the average."""
        volume = round(self.volume + change, _DIGITS)
        if volume == 0:
            return type(self)()
        if self.volume * change >= 0:
            return type(self)(volume, (self.volume * self.price + change * price) / volume, self.fee + fee)
        if self.volume * volume > 0:
            return type(self)(volume, self.price, self.fee * volume / self.volume)
        return type(self)(volume, price, fee * volume / change)  # reversed: this trade opened the rest

    def closed_by(self, change: float) -> float:
        """The volume that `change` closes, with the sign of the position."""
        if self.volume * change >= 0:
            return 0.0
        return -change if abs(change) < abs(self.volume) else self.volume


def settle(
    position: Position, side: str, volume: float, price: float, leverage: float = 1.0
) -> tuple[Position, dict[str, float | None]]:
    """Trade `volume` at `price`: return the position after it, and the columns of the trade.

    A trade that closes a position, or a part of it, has a `roi`: the profit in quote currency after the fees of opening
    and closing. `roi_pct` is the profit in percent of the cost of the closed part, times the leverage.
    """
    change = volume if side.lower() == "buy" else -volume
    cost = volume * price
    fee = cost * FEE
    after = position.after(change, price, fee)
    closed = position.closed_by(change)
    total_fee = fee * abs(closed / change) + position.fee * closed / position.volume if closed else fee
    roi = closed * (price - position.price) - total_fee
    columns = {
        "volume": volume,
        "price": price,
        "cost": cost,
        "fee": fee,
        "cur_volume": after.volume,
        "cur_avg_price": after.price,
        "cur_avg_cost": abs(after.volume) * after.price,
        "cur_fee": after.fee,
        "roi": roi if closed else None,
        "roi_pct": roi / abs(closed * position.price) * 100 * leverage if closed else None,
        "total_fee": total_fee,
    }
    return after, {name: None if value is None else round(value, _DIGITS) for name, value in columns.items()}


def order_key(exchange: str, order_id: int) -> str:
    """The simulated exchange's id of an order; unique because `order_id` is."""
    return f"{exchange}-{order_id:08d}"


def trade_key(ex_order_id: str, fill: int) -> str:
    """The simulated exchange's id of the first, second … fill of an order."""
    return f"{ex_order_id}-{fill}"
