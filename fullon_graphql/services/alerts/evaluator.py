"""Evaluates the rules of alerts, in one of all services processes: the one that holds an advisory lock of PostgreSQL.

Prices come from the channels of tickers, of the symbols that have rules: a tick costs the rules of its symbol only.
Orders come from the change feed after a stored cursor. Other states are read periodically. Of the last value a rule
stores the side of its threshold, so that after a restart a crossing is neither missed nor invented.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg
import structlog
from redis.asyncio import Redis
from sqlalchemy import Row, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from fullon_graphql.auth.principal import ALL_SCOPES, Principal
from fullon_graphql.background import Ready
from fullon_graphql.cache import keys, tickers
from fullon_graphql.cache.hub import Hub, News, Topic
from fullon_graphql.cache.tickers import Ticker
from fullon_graphql.config import Settings
from fullon_graphql.daemons.control.desired_state import StateStore
from fullon_graphql.daemons.control.state import ServiceName, ServiceState
from fullon_graphql.database import Database
from fullon_graphql.database.sole_process import sole_process
from fullon_graphql.errors import CursorExpired, FullonError
from fullon_graphql.models import AlertCursor, AlertEvent, AlertRule, Bot, Order, User
from fullon_graphql.observability.metrics import Metrics
from fullon_graphql.services.alerts.conditions import (
    AlertCondition,
    PriceWindow,
    crosses,
    has_changed_side,
    reaches,
    signed_change,
)
from fullon_graphql.services.analytics import performance
from fullon_graphql.services.analytics.ledger import Scope, TradeKind
from fullon_graphql.services.change_feed.reader import ChangeFeed
from fullon_graphql.services.change_feed.table import EDGE, Change, ChangeKind, Interest, Position
from fullon_graphql.services.user_admin import is_administrator

log = structlog.get_logger(__name__)

TASK: Final = "alerts"
"""Name of the task."""
LOCK: Final = 0x616C65727473  # "alerts"
"""The advisory lock of the evaluator."""
REFRESH_SECONDS: Final = 1.0
"""Pause between two reads of the rules and of states that are read periodically."""
DRAWDOWN_SECONDS: Final = 60.0
"""Pause between two computations of a drawdown."""
HOUSEKEEPING_SECONDS: Final = 3600.0
POSITION_SECONDS: Final = 60.0

Instrument = tuple[str, str]
"""An exchange and a symbol."""


@dataclass
class Watched:
    """A rule that is evaluated, with the rights of its owner."""

    rule: Row[Any]
    principal: Principal
    last: float | None
    """The newest value of this process, else the stored one."""
    stored: float | None
    window: PriceWindow | None = field(default=None)
    next_at: float = 0.0
    """Of the monotonic clock: a value that is expensive is not computed before."""

    @property
    def instrument(self) -> Instrument:
        """The symbol whose price is observed."""
        return self.rule.exchange, self.rule.symbol

    @property
    def definition(self) -> tuple[object, ...]:
        """The columns on which the evaluation depends; the last value of another definition is not used."""
        rule = self.rule
        return (
            rule.condition, rule.exchange, rule.symbol, rule.direction, rule.threshold, rule.window_seconds,
            rule.service, rule.bot_id, rule.currency, rule.capital, tuple(rule.statuses), self.principal.admin,
        )  # fmt: skip


class AlertEvaluator:
    """The evaluator of one process, or its standby."""

    def __init__(
        self,
        database: Database,
        redis: Redis,
        settings: Settings,
        metrics: Metrics,
        hub: Hub,
        changes: ChangeFeed,
        *,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._database = database
        self._redis = redis
        self._settings = settings
        self._metrics = metrics
        self._hub = hub
        self._changes = changes
        self._refresh_seconds = refresh_seconds
        self._states = StateStore(redis)
        self._rules: dict[int, Watched] = {}
        self._by_instrument: Mapping[Instrument, Sequence[Watched]] = {}
        self._prune_at = 0.0
        self._store_position_at = 0.0
        """Of the monotonic clock: without rules about orders the position is stored from time to time."""

    async def run(self, ready: Ready) -> None:
        """Evaluate until an error or cancellation. Afterwards it may run again."""
        async with sole_process(self._database, "alerts", LOCK, ready) as connection:
            self._rules = {}
            await self._refresh()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._evaluate_states(connection, ready))
                group.create_task(self._follow_prices())
                group.create_task(self._follow_orders())

    # ------------------------------------------------------------ rules

    async def _refresh(self) -> None:
        """Read the active rules of active users. A rule that has not changed keeps its last value."""
        query = select(AlertRule, User.mail, User.role).join(User, and_(User.uid == AlertRule.uid, User.active))
        rows = await self._database.rows(query.where(AlertRule.active))
        self._rules = {row.rule_id: self._watched(row) for row in rows}
        by_instrument: defaultdict[Instrument, list[Watched]] = defaultdict(list)
        for watched in self._rules.values():
            if watched.rule.condition in {AlertCondition.PRICE_CROSSES, AlertCondition.CHANGE_PERCENT}:
                by_instrument[watched.instrument].append(watched)
        self._by_instrument = dict(by_instrument)

    def _watched(self, row: Row[Any]) -> Watched:
        admin = is_administrator(self._settings, row.mail, row.role)
        principal = Principal(row.uid, row.mail, admin, "system", None, ALL_SCOPES)
        window = PriceWindow(row.window_seconds) if row.condition == AlertCondition.CHANGE_PERCENT else None
        fresh = Watched(row, principal, row.last_value, row.last_value, window)
        known = self._rules.get(row.rule_id)
        if known is None or known.definition != fresh.definition:
            return fresh
        known.rule = row
        return known

    def _of(self, condition: AlertCondition) -> list[Watched]:
        return [watched for watched in self._rules.values() if watched.rule.condition == condition]

    # ------------------------------------------------------------ values

    async def _follow_prices(self) -> None:
        """Evaluate each tick of the symbols that have rules."""
        while True:
            channels = {keys.ticker_updates(*instrument): instrument for instrument in self._by_instrument}
            if not channels:
                await asyncio.sleep(self._refresh_seconds)
                continue
            async with self._hub.listen(map(Topic, channels)) as mailbox:
                await self._read_prices(channels.values())
                while set(channels.values()) == self._by_instrument.keys():
                    news = await mailbox.news_until(asyncio.get_running_loop().time() + self._refresh_seconds)
                    if news:
                        await self._price_news(news, channels)

    async def _price_news(self, news: News, channels: Mapping[str, Instrument]) -> None:
        if news.reset:
            await self._read_prices(channels.values())
        latest = tickers.latest_time(self._redis)
        for channel, message in news.messages.items():
            if (instrument := channels.get(channel)) and (ticker := tickers.decode(*instrument, message, latest)):
                await self._evaluate_price(ticker)

    async def _read_prices(self, instruments: Iterable[Instrument]) -> None:
        for ticker in await tickers.read_many(self._redis, list(instruments)):
            if ticker:
                await self._evaluate_price(ticker)

    async def _evaluate_price(self, ticker: Ticker) -> None:
        where = f"{ticker.symbol} on {ticker.exchange}"
        for watched in self._by_instrument.get((ticker.exchange, ticker.symbol), ()):
            rule = watched.rule
            if watched.window is None:
                is_met = crosses(watched.last, ticker.price, rule.threshold, rule.direction)
                await self._take(watched, ticker.price, is_met, f"{where} is {ticker.price:g}: it crosses"
                                 f" {rule.threshold:g}.")  # fmt: skip
            elif (percent := watched.window.change_percent(ticker.time, ticker.price)) is not None:
                value = signed_change(percent, rule.direction)
                message = f"{where} has changed by {percent:.2f} % in {rule.window_seconds} s, to {ticker.price:g}."
                await self._take(watched, value, reaches(watched.last, value, rule.threshold), message)

    async def _evaluate_states(self, connection: asyncpg.Connection, ready: Ready) -> None:
        while True:
            async with asyncio.timeout(self._settings.db_timeout):
                await connection.fetchval("SELECT 1")  # the lock is held as long as its connection lives
            await self._refresh()
            await self._evaluate_feeds()
            await self._evaluate_services()
            await self._evaluate_drawdowns()
            await self._prune()
            ready()
            await asyncio.sleep(self._refresh_seconds)

    async def _evaluate_feeds(self) -> None:
        rules = self._of(AlertCondition.FEED_STALE)
        if not rules:
            return
        found = await tickers.read_many(self._redis, [watched.instrument for watched in rules])
        for watched, ticker in zip(rules, found, strict=True):
            if ticker is None:
                continue  # its age is unknown
            age, (exchange, symbol) = ticker.age_ms() / 1000, watched.instrument
            message = f"The last ticker of {symbol} on {exchange} is {age:.0f} s old."
            await self._take(watched, age, reaches(watched.last, age, watched.rule.threshold), message)

    async def _evaluate_services(self) -> None:
        rules = [watched for watched in self._of(AlertCondition.SERVICE_FAILED) if watched.principal.admin]
        if not rules:
            return
        observed = await self._states.observe(list(ServiceName))
        failed = [one.status.name.name for one in observed if one.status.state is ServiceState.FAILED]
        for watched in rules:
            names = [name for name in failed if watched.rule.service in {None, name}]
            message = f"Failed: {', '.join(names)}."
            await self._take(watched, float(bool(names)), reaches(watched.last, float(bool(names)), 1.0), message)

    async def _evaluate_drawdowns(self) -> None:
        now = time.monotonic()
        for watched in self._of(AlertCondition.DRAWDOWN):
            if watched.next_at > now:
                continue
            watched.next_at = now + DRAWDOWN_SECONDS
            percent = await self._drawdown(watched)
            if percent is not None:
                message = f"The drawdown of bot {watched.rule.bot_id} is {percent:.2f} %."
                await self._take(watched, percent, reaches(watched.last, percent, watched.rule.threshold), message)

    async def _drawdown(self, watched: Watched) -> float | None:
        """The maximum drawdown of the bot in percent; None if it has none, or cannot be computed."""
        rule = watched.rule
        bot = await self._database.row(select(Bot.dry_run).where(Bot.bot_id == rule.bot_id))
        if bot is None:
            return None
        scope = Scope(TradeKind.DRY if bot.dry_run else TradeKind.LIVE, bot_ids=[rule.bot_id])
        try:
            found = await performance.of_trades(
                self._database, self._redis, watched.principal, scope, rule.currency, rule.capital
            )
        except FullonError as error:
            log.warning("alert.not_computed", rule=rule.rule_id, error=error.message)
            return None
        return None if found.max_drawdown_fraction is None else found.max_drawdown_fraction * 100

    async def _follow_orders(self) -> None:
        """Evaluate each change of an order, after the stored cursor."""
        position = await self._order_position()
        try:
            async with aclosing(self._changes.follow(Interest(Order), position)) as batches:
                async for batch in batches:
                    for change in batch:
                        await self._evaluate_order(change)
                    is_due = time.monotonic() >= self._store_position_at
                    if batch and (is_due or self._of(AlertCondition.ORDER_STATE)):
                        await self._store_position(batch[-1].position)
        except CursorExpired:
            log.warning("alerts.orders_missed", after=position.cursor)
            await self._store_position(await self._edge())
            raise

    async def _evaluate_order(self, change: Change) -> None:
        rules = [
            watched
            for watched in self._of(AlertCondition.ORDER_STATE)
            if (watched.principal.admin or watched.rule.uid == change.uid)
            and watched.rule.bot_id in {None, change.bot_id}
            and watched.rule.created_at.timestamp() <= change.at
        ]
        if not rules or change.kind is ChangeKind.DELETED:
            return
        order_id = change.key["order_id"]
        order = await self._database.row(select(Order.status, Order.symbol).where(Order.order_id == order_id))
        if order is None or order.status is None:
            return
        for watched in rules:
            if order.status.lower() in watched.rule.statuses:
                message = f"Order {order_id} of {order.symbol} is {order.status}."
                await self._raise(watched, None, message, f"order {order_id} {order.status.lower()}")

    async def _order_position(self) -> Position:
        row = await self._database.row(select(AlertCursor.xid, AlertCursor.seq))
        if row:
            return Position(row.xid, row.seq)
        position = await self._edge()
        await self._store_position(position)
        return position

    async def _edge(self) -> Position:
        [(running,)] = await self._database.records(EDGE)
        return Position(int(running), 0)

    async def _store_position(self, position: Position) -> None:
        self._store_position_at = time.monotonic() + POSITION_SECONDS
        moved = {"xid": position.xid, "seq": position.seq}
        stored = insert(AlertCursor).values(moved).on_conflict_do_update(index_elements=["single"], set_=moved)
        async with self._database.transaction() as connection:
            await connection.execute(stored)

    # ------------------------------------------------------------ alerts

    async def _take(self, watched: Watched, value: float, is_met: bool, message: str) -> None:
        """Take a new value: raise an alert if the condition is met, and store the value if it must be."""
        threshold = 1.0 if watched.rule.threshold is None else watched.rule.threshold
        must_store = has_changed_side(watched.stored, value, threshold)
        if is_met:
            await self._raise(watched, value, message, None)
        elif must_store:
            await self._store_value(watched, value)
        watched.last = value
        if must_store:
            watched.stored = value

    async def _store_value(self, watched: Watched, value: float) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                update(AlertRule).where(AlertRule.rule_id == watched.rule.rule_id).values(last_value=value)
            )

    async def _raise(self, watched: Watched, value: float | None, message: str, subject: str | None) -> None:
        """Store an alert, unless the rule rests after an earlier one."""
        rule = watched.rule
        event = {
            "uid": rule.uid, "rule_id": rule.rule_id, "bot_id": rule.bot_id, "condition": rule.condition,
            "subject": subject, "message": message, "value": value,
        }  # fmt: skip
        rests_until = AlertRule.last_fired_at + func.make_interval(0, 0, 0, 0, 0, 0, AlertRule.cooldown_seconds)
        may_fire = and_(AlertRule.active, or_(AlertRule.last_fired_at.is_(None), rests_until <= func.now()))
        async with self._database.transaction() as connection:
            if value is not None:
                same = AlertRule.rule_id == rule.rule_id
                await connection.execute(update(AlertRule).where(same).values(last_value=value))
            locked = select(AlertRule.rule_id).where(AlertRule.rule_id == rule.rule_id, may_fire).with_for_update()
            if (await connection.execute(locked)).first() is None:
                return
            added = insert(AlertEvent).values(event).on_conflict_do_nothing().returning(AlertEvent.alert_id)
            if (await connection.execute(added)).first() is None:
                return  # this state of the order has raised an alert before
            fired = {"last_fired_at": func.now(), "active": not rule.once}
            await connection.execute(update(AlertRule).where(AlertRule.rule_id == rule.rule_id).values(fired))
        self._metrics.alerts.add(rule.condition)

    async def _prune(self) -> None:
        """Delete old alerts, and rules of deleted users."""
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + HOUSEKEEPING_SECONDS
        oldest = func.now() - text("make_interval(days => :days)").bindparams(days=self._settings.alert_retention_days)
        async with self._database.transaction() as connection:
            await connection.execute(delete(AlertEvent).where(AlertEvent.raised_at < oldest))
            await connection.execute(delete(AlertRule).where(AlertRule.uid.not_in(select(User.uid))))
