"""What the demo's bots did in the past: orders, the trades that filled them, dry trades, and what the bots said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Final, NamedTuple

from fullon_graphql.embedded.demo.candles import Moments
from fullon_graphql.embedded.demo.catalogue import BOTS, EXCHANGES, DemoBot
from fullon_graphql.embedded.demo.position_math import Holding, order_key, settle, trade_key
from fullon_graphql.ohlcv.candles import Candle

Row = dict[str, Any]

_ENDS: Final = {"filled": 88, "canceled": 5, "cancelled": 4, "rejected": 3}
"""How orders end, in percent. The platform's programs spell the second in two ways."""
_UNFINISHED: Final = ("New", "open", "partially_filled")
_TYPES: Final = {"market": 55, "limit": 35, "stop": 7, "stop_limit": 3}
_TWO_FILLS: Final = 0.2
_PARTLY_FILLED: Final = 0.3
"""How likely a filled order took two trades, and how likely one that was canceled had been filled in part."""
_TALKATIVE: Final = 0.3
_WORTH: Final = (200.0, 5_000.0)
"""What an opening order is worth, in the quote currency."""
_CAPITALISED: Final = timedelta(days=60)
"""Orders as old as this spell their side as the platform's older programs did."""


@dataclass
class History:
    """The rows of the past, each list in order of time."""

    orders: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    dry_trades: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)


class _Deed(NamedTuple):
    """A bot acts at a moment; `last` where it is its last deed and still going on."""

    time: datetime
    bot: DemoBot
    candle: Candle
    last: bool


def make_history(moments: Moments, rng: Random, now: datetime) -> History:
    """What all bots did at their `moments`, in order of time. Each price lies within the candle of its minute."""
    story = _Story(rng, now)
    for deed in sorted((deed for bot in BOTS for deed in _deeds(bot, moments[bot.instrument], rng)), key=_when):
        story.tell(deed)
    return story.history


def _when(deed: _Deed) -> tuple[datetime, int]:
    return deed.time, deed.bot.bot_id


def _deeds(bot: DemoBot, moments: Sequence[Candle], rng: Random) -> Iterator[_Deed]:
    """The bot's deeds at some of the moments; a bot that is still at work acts at the newest one."""
    *earlier, newest = moments[: len(moments) // 3] if bot.retired else moments
    chosen = rng.sample(earlier, min(bot.orders - 1, len(earlier)))
    for candle in [*chosen, newest]:
        time = candle.time + timedelta(seconds=rng.uniform(0, 40))  # its trades still fit into the minute
        yield _Deed(time, bot, candle, last=candle is newest and not bot.retired)


class _Story:
    """Tells deed after deed. Bots hold what they have bought, or owe what they have sold; so do their accounts."""

    def __init__(self, rng: Random, now: datetime) -> None:
        self.history = History()
        self._rng = rng
        self._now = now
        self._bots: dict[int, Holding] = defaultdict(Holding)
        self._accounts: dict[tuple[int, str], Holding] = defaultdict(Holding)

    def tell(self, deed: _Deed) -> None:
        price = self._price(deed)
        held = self._bots[deed.bot.bot_id].volume
        volume = abs(held) or round(self._rng.uniform(*_WORTH) / price, 6)
        side = "buy" if held < 0 or (held == 0 and not deed.bot.template.short) else "sell"
        if deed.bot.dry_run:
            self._dry_trade(deed, side, volume, price)
        else:
            self._order(deed, side, volume, price)
        if self._rng.random() < _TALKATIVE:
            self._log(deed, f"{side} {volume} {deed.bot.instrument.symbol} at {price}".lower())

    def _price(self, deed: _Deed) -> float:
        price = self._rng.uniform(deed.candle.low, deed.candle.high)
        return round(price, deed.bot.instrument.decimals)

    def _dry_trade(self, deed: _Deed, side: str, volume: float, price: float) -> None:
        bot = deed.bot
        self._bots[bot.bot_id], columns = settle(self._bots[bot.bot_id], side, volume, price, bot.leverage)
        kept = {name: columns[name] for name in ("volume", "price", "cost", "fee", "roi", "roi_pct")}
        closing = columns["roi"] is not None
        self.history.dry_trades.append(
            {"bot_id": bot.bot_id, "uid": bot.account.uid, "ex_id": bot.account.ex_id, "symbol": bot.instrument.symbol}
            | {"side": side.capitalize(), "reason": self._reason(bot, closing=closing), "closingtrade": closing}
            | {"timestamp": deed.time}
            | kept
        )

    def _order(self, deed: _Deed, side: str, volume: float, price: float) -> None:
        bot, order_id = deed.bot, len(self.history.orders) + 1
        status = self._rng.choice(_UNFINISHED) if deed.last else self._one_of(_ENDS)
        order_type = self._one_of(_TYPES)
        ex_order_id = None if status in {"New", "rejected"} else order_key(bot.account.exchange, order_id)
        filled = self._filled(status, volume)
        holds = self._bots[bot.bot_id].volume != 0
        self.history.orders.append(
            {"order_id": order_id, "ex_order_id": ex_order_id, "bot_id": bot.bot_id, "uid": bot.account.uid}
            | {"ex_id": bot.account.ex_id, "cat_ex_id": EXCHANGES[bot.account.exchange]}
            | {"exchange": bot.account.exchange, "symbol": bot.instrument.symbol, "futures": bot.instrument.futures}
            | {"order_type": order_type, "side": side.capitalize() if self._is_old(deed) else side, "status": status}
            | {"volume": volume, "final_volume": filled or None, "leverage": bot.leverage, "tick": deed.candle.close}
            | {"price": None if order_type == "market" and not filled else price}
            | {"plimit": price if order_type.startswith("stop") else None}
            | {"command": None, "reason": self._reason(bot, closing=holds), "timestamp": deed.time}
        )
        if ex_order_id and filled:
            first = self._part(filled) if status == "filled" and self._rng.random() < _TWO_FILLS else filled
            fills = [first, round(filled - first, 8)] if first < filled else [filled]
            self._fill(deed, {"ex_order_id": ex_order_id, "order_type": order_type}, side, fills, price)

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

    def _fill(self, deed: _Deed, order: Row, side: str, fills: Sequence[float], price: float) -> None:
        time = deed.time
        for number, volume in enumerate(fills, start=1):
            time += timedelta(seconds=self._rng.uniform(0.2, 8))
            trade = order | {"ex_trade_id": trade_key(order["ex_order_id"], number), "time": time}
            self._trade(deed.bot, trade, side, volume, price)

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

    def _log(self, deed: _Deed, message: str) -> None:
        bot = deed.bot
        self.history.logs.append(
            {"bot_id": bot.bot_id, "feed_num": 0, "ex_id": bot.account.ex_id, "symbol": bot.instrument.symbol}
            | {"position": Decimal(str(self._bots[bot.bot_id].volume)), "message": message, "timestamp": deed.time}
        )

    def _reason(self, bot: DemoBot, *, closing: bool) -> str:
        return self._rng.choice(("take profit", "stop loss", bot.template.reason)) if closing else bot.template.reason

    def _part(self, volume: float) -> float:
        return round(volume * self._rng.uniform(0.2, 0.8), 6) or volume

    def _is_old(self, deed: _Deed) -> bool:
        return self._now - deed.time > _CAPITALISED

    def _one_of(self, weights: dict[str, int]) -> str:
        return self._rng.choices(list(weights), weights=list(weights.values()))[0]
