"""What an account holds of one symbol, and what a trade makes of it: the running figures of the trades table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

FEE: Final = 0.0026
"""The part of a trade's cost that an exchange takes."""

_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Holding:
    """`volume` in base currency, below zero for a short; its average `price`; the `fee` paid to get there (quote)."""

    volume: float = 0.0
    price: float = 0.0
    fee: float = 0.0

    def after(self, change: float, price: float, fee: float) -> Self:
        """The holding after `change` was bought (sold, below zero) at `price`. The average moves only as it grows."""
        volume = round(self.volume + change, _DIGITS)
        if volume == 0:
            return type(self)()
        if self.volume * change >= 0:
            return type(self)(volume, (self.volume * self.price + change * price) / volume, self.fee + fee)
        if self.volume * volume > 0:
            return type(self)(volume, self.price, self.fee * volume / self.volume)
        return type(self)(volume, price, fee * volume / change)  # turned over: what is left was opened by this trade

    def closed_by(self, change: float) -> float:
        """How much of the holding `change` closes, with the sign of the holding."""
        if self.volume * change >= 0:
            return 0.0
        return -change if abs(change) < abs(self.volume) else self.volume


def settle(
    holding: Holding, side: str, volume: float, price: float, leverage: float = 1.0
) -> tuple[Holding, dict[str, float | None]]:
    """Trade `volume` at `price`: the holding after it, and the columns of the trade.

    A trade that closes a holding, or a part of it, has a `roi`: the profit in quote currency after the fees of both
    ends. `roi_pct` is that in percent of what the closed part had cost, times the leverage.
    """
    change = volume if side.lower() == "buy" else -volume
    cost = volume * price
    fee = cost * FEE
    after = holding.after(change, price, fee)
    closed = holding.closed_by(change)
    total_fee = fee * abs(closed / change) + holding.fee * closed / holding.volume if closed else fee
    roi = closed * (price - holding.price) - total_fee
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
        "roi_pct": roi / abs(closed * holding.price) * 100 * leverage if closed else None,
        "total_fee": total_fee,
    }
    return after, {name: None if value is None else round(value, _DIGITS) for name, value in columns.items()}


def order_key(exchange: str, order_id: int) -> str:
    """The id that the simulated exchange gives an order: unique, for `order_id` is."""
    return f"{exchange}-{order_id:08d}"


def trade_key(ex_order_id: str, fill: int) -> str:
    """The id that the simulated exchange gives the first, second … fill of an order."""
    return f"{ex_order_id}-{fill}"
