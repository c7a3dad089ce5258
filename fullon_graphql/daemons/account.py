"""The account daemon: writes balances and positions of exchange accounts into Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from fullon_graphql.cache import accounts
from fullon_graphql.cache.accounts import Balance, Position
from fullon_graphql.cache.processes import Process, ProcessType
from fullon_graphql.daemons.collector import CollectorDaemon
from fullon_graphql.database import Database
from fullon_graphql.models import CatExchange, Exchange

PAUSE = 3.0
"""Seconds between two rounds."""

FEED_TIMEOUT = 10.0
"""Seconds the feed may take for one account."""

CONCURRENCY = 8
"""Accounts requested from the feed at the same time."""


@dataclass(frozen=True, slots=True)
class Account:
    """An active account on an exchange."""

    ex_id: int
    name: str
    exchange: str


class AccountDaemon(CollectorDaemon):
    """Requests every active account from the feed, round after round. New accounts join at the next round."""

    process = (ProcessType.ACCOUNT, "account_daemon")

    async def collect(self) -> None:
        """Read and write accounts until cancelled."""
        while True:
            await self._update(await active_accounts(self.resources.database))
            await asyncio.sleep(PAUSE)

    def parts(self) -> list[Process]:
        """One process per exchange."""
        return [
            Process(ProcessType.ACCOUNT, f"account:{exchange}", {"exchange": exchange}) for exchange in self.symbols
        ]

    async def _update(self, active: Sequence[Account]) -> None:
        limit = asyncio.Semaphore(CONCURRENCY)
        async with asyncio.TaskGroup() as group:
            requests = [group.create_task(self._fetch(account, limit)) for account in active]
        answers = [request.result() for request in requests]
        self.require_lease()
        await accounts.write(
            self.resources.redis,
            balances={account.ex_id: balances for account, (balances, _) in zip(active, answers, strict=True)},
            positions={account.ex_id: positions for account, (_, positions) in zip(active, answers, strict=True)},
        )

    async def _fetch(self, account: Account, limit: asyncio.Semaphore) -> tuple[list[Balance], list[Position]]:
        symbols = self.symbols.get(account.exchange, [])
        async with limit, asyncio.timeout(FEED_TIMEOUT):
            return (
                await self.feed.balances(account.ex_id, account.exchange, symbols),
                await self.feed.positions(account.ex_id, account.exchange, symbols),
            )


async def active_accounts(database: Database, exchange: str | None = None) -> list[Account]:
    """The active accounts of all users, on one exchange or on all, by key."""
    query = (
        select(Exchange.ex_id, Exchange.name, CatExchange.name.label("exchange"))
        .join(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)
        .where(Exchange.active)
        .order_by(Exchange.ex_id)
    )
    if exchange is not None:
        query = query.where(CatExchange.name == exchange)
    return [Account(**row._mapping) for row in await database.rows(query)]
