"""Generates the history of the demo's bots: orders, their trades, dry trades and log lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, NamedTuple

from fullon_graphql.embedded.demo.candles import Moments
from fullon_graphql.embedded.demo.catalogue import Catalogue, DemoBot
from fullon_graphql.embedded.demo.position_math import Position, order_key, settle, trade_key
from fullon_graphql.ohlcv.candles import Candle

Row = dict[str, Any]

_ENDS: Final = {"filled": 88, "canceled": 5, "cancelled": 4, "rejected": 3}
"""Final statuses of orders, in percent. The platform's programs have two spellings of `canceled`."""
_UNFINISHED: Final = ("New", "open", "partially_filled")
_TYPES: Final = {"market": 55, "limit": 35, "stop": 7, "stop_limit": 3}
_TWO_FILLS: Final = 0.2
_PARTLY_FILLED: Final = 0.3
"""The probability that a filled order has two trades, and that a canceled order was filled in part."""
_LOG_CHANCE: Final = 0.3
_WORTH: Final = (200.0, 5_000.0)
"""Value of an opening order, in quote currency."""
_CAPITALISED: Final = timedelta(days=60)
"""Older orders have a capitalised side, like those of the platform's older programs."""


@dataclass
class History:
    """The generated rows, each list in order of time."""

    orders: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    dry_trades: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)


class _Action(NamedTuple):
    """An action of a bot at a time. The `last` action of an active bot is still in progress."""

    time: datetime
    bot: DemoBot
    candle: Candle
    last: bool


def make_history(catalogue: Catalogue, moments: Moments, rng: Random, now: datetime) -> History:
    """The actions of all bots at their `moments`, in order of time. Each price is within the candle of its minute."""
    recorder = _Recorder(catalogue, rng, now)
    actions = (action for bot in catalogue.bots for action in _actions(bot, moments[bot.instrument], rng))
    for action in sorted(actions, key=_order_of):
        recorder.record(action)
    return recorder.history


def _order_of(action: _Action) -> tuple[datetime, int]:
    return action.time, action.bot.bot_id


def _actions(bot: DemoBot, moments: Sequence[Candle], rng: Random) -> Iterator[_Action]:
    """Actions of a bot at some of the moments; an active bot acts at the newest one."""
    *earlier, newest = moments[: len(moments) // 3] if bot.retired else moments
    chosen = rng.sample(earlier, min(bot.orders - 1, len(earlier)))
    for candle in [*chosen, newest]:
        time = candle.time + timedelta(seconds=rng.uniform(0, 40))  # so that its trades are in the same minute
        yield _Action(time, bot, candle, last=candle is newest and not bot.retired)


class _Recorder:
    """Turns actions into rows, and keeps the positions of bots and accounts."""

    def __init__(self, catalogue: Catalogue, rng: Random, now: datetime) -> None:
        self.history = History()
        self._catalogue = catalogue
        self._rng = rng
        self._now = now
        self._bots: dict[int, Position] = defaultdict(Position)
        self._accounts: dict[tuple[int, str], Position] = defaultdict(Position)

    def record(self, action: _Action) -> None:
        price = self._price(action)
        position = self._bots[action.bot.bot_id].volume
        volume = abs(position) or round(self._rng.uniform(*_WORTH) / price, 6)
        side = "buy" if position < 0 or (position == 0 and not action.bot.template.short) else "sell"
        if action.bot.dry_run:
            self._dry_trade(action, side, volume, price)
        else:
            self._order(action, side, volume, price)
        if self._rng.random() < _LOG_CHANCE:
            self._log(action, f"{side} {volume} {action.bot.instrument.symbol} at {price}".lower())

    def _price(self, action: _Action) -> float:
        price = self._rng.uniform(action.candle.low, action.candle.high)
        return round(price, action.bot.instrument.decimals)

    def _dry_trade(self, action: _Action, side: str, volume: float, price: float) -> None:
        bot = action.bot
        self._bots[bot.bot_id], columns = settle(self._bots[bot.bot_id], side, volume, price, bot.leverage)
        kept = {name: columns[name] for name in ("volume", "price", "cost", "fee", "roi", "roi_pct")}
        closing = columns["roi"] is not None
        self.history.dry_trades.append(
            {"bot_id": bot.bot_id, "uid": bot.account.uid, "ex_id": bot.account.ex_id, "symbol": bot.instrument.symbol}
            | {"side": side.capitalize(), "reason": self._reason(bot, closing=closing), "closingtrade": closing}
            | {"timestamp": action.time}
            | kept
        )

    def _order(self, action: _Action, side: str, volume: float, price: float) -> None:
        bot, order_id = action.bot, len(self.history.orders) + 1
        status = self._rng.choice(_UNFINISHED) if action.last else self._one_of(_ENDS)
        order_type = self._one_of(_TYPES)
        ex_order_id = None if status in {"New", "rejected"} else order_key(bot.account.exchange, order_id)
        filled = self._filled(status, volume)
        has_position = self._bots[bot.bot_id].volume != 0
        self.history.orders.append(
            {"order_id": order_id, "ex_order_id": ex_order_id, "bot_id": bot.bot_id, "uid": bot.account.uid}
            | {"ex_id": bot.account.ex_id, "cat_ex_id": self._catalogue.exchanges[bot.account.exchange]}
            | {"exchange": bot.account.exchange, "symbol": bot.instrument.symbol, "futures": bot.instrument.futures}
            | {"order_type": order_type, "side": side.capitalize() if self._is_old(action) else side, "status": status}
            | {"volume": volume, "final_volume": filled or None, "leverage": bot.leverage, "tick": action.candle.close}
            | {"price": None if order_type == "market" and not filled else price}
            | {"plimit": price if order_type.startswith("stop") else None}
            | {"command": None, "reason": self._reason(bot, closing=has_position), "timestamp": action.time}
        )
        if ex_order_id and filled:
            first = self._part(filled) if status == "filled" and self._rng.random() < _TWO_FILLS else filled
            fills = [first, round(filled - first, 8)] if first < filled else [filled]
            self._fill(action, {"ex_order_id": ex_order_id, "order_type": order_type}, side, fills, price)

    def _filled(self, status: str, volume: float) -> float:
        match status:
            case "filled":
                return volume
            case "partially_filled":
                return self._part(volume)
            case "canceled" | "cancelled" if self._rng.random() < _PARTLY_FILLED:
                return self._part(volume)
            case _:
                return 0.0

    def _fill(self, action: _Action, order: Row, side: str, fills: Sequence[float], price: float) -> None:
        time = action.time
        for number, volume in enumerate(fills, start=1):
            time += timedelta(seconds=self._rng.uniform(0.2, 8))
            trade = order | {"ex_trade_id": trade_key(order["ex_order_id"], number), "time": time}
            self._trade(action.bot, trade, side, volume, price)

    def _trade(self, bot: DemoBot, trade: Row, side: str, volume: float, price: float) -> None:
        account = bot.account.ex_id, bot.instrument.symbol
        self._bots[bot.bot_id], _ = settle(self._bots[bot.bot_id], side, volume, price)
        self._accounts[account], columns = settle(self._accounts[account], side, volume, price, bot.leverage)
        self.history.trades.append(
            trade
            | {"uid": bot.account.uid, "ex_id": bot.account.ex_id, "symbol": bot.instrument.symbol}
            | {"side": side.capitalize(), "leverage": bot.leverage}
            | columns
        )

    def _log(self, action: _Action, message: str) -> None:
        bot = action.bot
        self.history.logs.append(
            {"bot_id": bot.bot_id, "feed_num": 0, "ex_id": bot.account.ex_id, "symbol": bot.instrument.symbol}
            | {"position": Decimal(str(self._bots[bot.bot_id].volume)), "message": message, "timestamp": action.time}
        )

    def _reason(self, bot: DemoBot, *, closing: bool) -> str:
        return self._rng.choice(("take profit", "stop loss", bot.template.reason)) if closing else bot.template.reason

    def _part(self, volume: float) -> float:
        return round(volume * self._rng.uniform(0.2, 0.8), 6) or volume

    def _is_old(self, action: _Action) -> bool:
        return self._now - action.time > _CAPITALISED

    def _one_of(self, weights: dict[str, int]) -> str:
        return self._rng.choices(list(weights), weights=list(weights.values()))[0]
