"""The account daemon: follows every active account, and writes balances, positions and orders into Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from fullon_graphql.cache import account_status, accounts, orders
from fullon_graphql.cache.account_status import AccountState, AccountStatus
from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.config.exchange_keys import account_secrets
from fullon_graphql.daemons.collector import CollectorDaemon
from fullon_graphql.daemons.control.lease import LeaseLostError
from fullon_graphql.daemons.control.state import backoff
from fullon_graphql.daemons.feeds.account_feed import (
    Account,
    AccountFeed,
    AccountUpdate,
    OrderReport,
    PolledAccountFeed,
    ReadingRequest,
)
from fullon_graphql.daemons.feeds.requests import jittered
from fullon_graphql.daemons.feeds.timing import AccountTiming
from fullon_graphql.daemons.order_sync import OrderSync
from fullon_graphql.database import Database
from fullon_graphql.errors import SettingsError, shortened
from fullon_graphql.models import CatExchange, Exchange
from fullon_graphql.models.order_status import CLOSED
from fullon_graphql.observability.redaction import reason

log = structlog.get_logger(__name__)

PAUSE = 3.0
"""Seconds between two readings of an account that the feed does not follow, and between two looks for new accounts."""

FEED_TIMEOUT = 10.0
"""Seconds that such a feed may take for one account."""

REPORT_INTERVAL = 5.0
"""Seconds between two reports of the states of accounts. A change of a state is reported at once."""


@dataclass
class Followed:
    """An account in this daemon. Times are UTC."""

    account: Account
    state: AccountState = AccountState.CONNECTING
    connected_since: datetime | None = None
    updated_at: datetime | None = None
    open_orders: int | None = None
    reconnects: int = 0
    error: str | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)

    def status(self) -> AccountStatus:
        """The report of its state."""
        return AccountStatus(
            ex_id=self.account.ex_id, state=self.state, connected_since=self.connected_since,
            updated_at=self.updated_at, open_orders=self.open_orders, reconnects=self.reconnects, error=self.error,
            reported_at=datetime.now(UTC),
        )  # fmt: skip

    def note(self, update: AccountUpdate) -> bool:
        """Take the state from an update. True if it is another one than before."""
        before = (self.state, self.error, self.open_orders)
        now = datetime.now(UTC)
        self.connected_since = self.connected_since or now
        self.state = AccountState.LIVE if update.streamed else AccountState.POLLED
        self.error = update.error
        if update.balances is not None or update.open_orders is not None:
            self.updated_at = now
        if update.open_orders is not None:
            self.open_orders = len(update.open_orders)
        return before != (self.state, self.error, self.open_orders)

    def note_failure(self, error: str) -> None:
        """Record that the account cannot be read."""
        self.state, self.error, self.connected_since = AccountState.DOWN, error, None
        self.reconnects += 1


class AccountDaemon(CollectorDaemon):
    """Follows every active account in a task of its own. New accounts join within seconds."""

    process = (ProcessType.ACCOUNT, "account_daemon")
    timing = AccountTiming()

    async def collect(self) -> None:
        """Follow accounts until cancelled."""
        followed: dict[int, Followed] = {}
        reports = asyncio.create_task(self._report(followed))
        try:
            while True:
                await self._follow_active(followed)
                await self._wait([reports, *(one.task for one in followed.values() if one.task)])
        finally:
            tasks = [reports, *(one.task for one in followed.values() if one.task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self.resources.holds_lease():
                with suppress(RedisError):  # without Redis the reports expire
                    await account_status.remove(self.resources.redis, followed)

    def parts(self) -> list[Process]:
        """One process per exchange."""
        return [
            Process(ProcessType.ACCOUNT, f"account:{exchange}", {"exchange": exchange}) for exchange in self.symbols
        ]

    async def _wait(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Pause. Raises what a task has raised, which cannot be the fault of one account."""
        done, _ = await asyncio.wait(tasks, timeout=PAUSE, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _follow_active(self, followed: dict[int, Followed]) -> None:
        """Begin to follow new accounts, and stop with those that are not active any more or have changed."""
        active = {account.ex_id: account for account in await active_accounts(self.resources.database)}
        gone = [ex_id for ex_id, one in followed.items() if active.get(ex_id) != one.account]
        stopped = [followed.pop(ex_id).task for ex_id in gone]
        for task in stopped:
            if task:
                task.cancel()
        await asyncio.gather(*(task for task in stopped if task), return_exceptions=True)
        self.require_lease()
        await account_status.remove(self.resources.redis, gone)
        for ex_id, account in active.items():
            if ex_id not in followed:
                one = followed[ex_id] = Followed(account)
                one.task = asyncio.create_task(self._follow(one), name=f"account {ex_id}")

    async def _follow(self, followed: Followed) -> None:
        """Follow an account; after a failure again after a pause.

        Raises:
            LeaseLostError, RedisError: nothing can be written for any account.
        """
        account, failures = followed.account, 0
        sync = OrderSync(self.resources.database, account) if self.resources.settings.sync_orders else None
        await self._write_status(followed)
        while True:
            began, secrets = time.monotonic(), await asyncio.to_thread(account_secrets, account.ex_id)
            try:
                async with aclosing(self._updates(account, sync)) as updates:
                    async for update in updates:
                        await self._store(followed, sync, update)
            except (LeaseLostError, RedisError):
                raise
            except SQLAlchemyError as error:
                log.warning("account.not_stored", ex_id=account.ex_id, error=reason(error))
                followed.note_failure("Orders and trades could not be stored.")
            except Exception as error:
                secrets |= await asyncio.to_thread(account_secrets, account.ex_id)  # they may have been replaced
                followed.note_failure(reason(error, secrets))
            failures = 1 if time.monotonic() - began > self.timing.healthy else failures + 1
            pause = jittered(backoff(failures, self.timing))
            log.warning("account.failed", exchange=account.exchange, ex_id=account.ex_id, error=followed.error)
            await self._write_status(followed)
            await asyncio.sleep(pause)

    def _updates(self, account: Account, sync: OrderSync | None) -> AsyncGenerator[AccountUpdate]:
        symbols = self.symbols.get(account.exchange, [])
        if isinstance(self.feed, AccountFeed):
            return self.feed.account(account, symbols, sync.next_reading if sync else _nothing_more)
        if isinstance(self.feed, PolledAccountFeed):
            return polled(self.feed, account, symbols)
        name = shortened(self.resources.settings.market_feed)
        raise SettingsError(f"MARKET_FEED {name} has neither account() nor balances() and positions().")

    async def _store(self, followed: Followed, sync: OrderSync | None, update: AccountUpdate) -> None:
        """Write an update, first to PostgreSQL."""
        ex_id, redis = followed.account.ex_id, self.resources.redis
        reports = [*(update.open_orders or ()), *update.ended_orders]
        self.require_lease()
        if sync:
            await sync.store(reports, update.fills, self.require_lease)
        self.require_lease()
        await accounts.write(
            redis,
            balances={} if update.balances is None else {ex_id: update.balances},
            positions={} if update.positions is None else {ex_id: update.positions},
        )
        if update.open_orders is not None or reports:
            found = {report.ex_order_id: _live_order(followed.account, report) for report in reports}
            await orders.write(redis, ex_id, found, CLOSED)
        if followed.note(update):
            await self._write_status(followed)

    async def _write_status(self, followed: Followed) -> None:
        self.require_lease()
        await account_status.write(self.resources.redis, [followed.status()])

    async def _report(self, followed: dict[int, Followed]) -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
            self.require_lease()
            await account_status.write(self.resources.redis, [one.status() for one in followed.values()])


async def polled(feed: PolledAccountFeed, account: Account, symbols: Sequence[str]) -> AsyncGenerator[AccountUpdate]:
    """The balances and positions of an account at short intervals, from a feed that does not follow accounts."""
    while True:
        async with asyncio.timeout(FEED_TIMEOUT):
            balances = await feed.balances(account.ex_id, account.exchange, symbols)
            positions = await feed.positions(account.ex_id, account.exchange, symbols)
        yield AccountUpdate(balances=balances, positions=positions)
        await asyncio.sleep(PAUSE)


async def active_accounts(database: Database, exchange: str | None = None) -> list[Account]:
    """The active accounts of all users, on one exchange or on all, by key."""
    query = (
        select(
            Exchange.ex_id, Exchange.name, CatExchange.name.label("exchange"), Exchange.uid, Exchange.cat_ex_id,
            Exchange.test,
        )
        .join(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)
        .where(Exchange.active)
        .order_by(Exchange.ex_id)
    )  # fmt: skip
    if exchange is not None:
        query = query.where(CatExchange.name == exchange)
    return [Account(**row._mapping) for row in await database.rows(query)]


async def _nothing_more() -> ReadingRequest:
    return ReadingRequest()


def _live_order(account: Account, report: OrderReport) -> dict[str, object]:
    """A report in the platform's form."""
    return {
        "uid": account.uid, "ex_id": account.ex_id, "cat_ex_id": account.cat_ex_id, "exchange": account.exchange,
        "symbol": report.symbol, "order_type": report.order_type, "side": report.side, "volume": report.volume,
        "final_volume": report.filled, "price": report.price or report.average, "status": report.status,
    }  # fmt: skip
