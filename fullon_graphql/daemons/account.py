"""The account daemon: balances and positions of people's exchange accounts, into Redis."""

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

ANSWER_LIMIT = 10.0
"""Seconds the feed may take for one account."""

AT_ONCE = 8
"""Accounts asked for at the same time."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody's active account on an exchange."""

    ex_id: int
    exchange: str


class AccountDaemon(CollectorDaemon):
    """Asks the feed for every active account, round after round; accounts made meanwhile join the next round."""

    process = (ProcessType.ACCOUNT, "account_daemon")

    async def collect(self) -> None:
        """Ask and write until cancelled."""
        while True:
            await self._round(await active_accounts(self.resources.database))
            await asyncio.sleep(PAUSE)

    def parts(self) -> list[Process]:
        """One process per exchange."""
        return [
            Process(ProcessType.ACCOUNT, f"account:{exchange}", {"exchange": exchange}) for exchange in self.symbols
        ]

    async def _round(self, active: Sequence[Account]) -> None:
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask(account, turn)) for account in active]
        answers = [task.result() for task in asked]
        self.check_in_charge()
        await accounts.write(
            self.resources.redis,
            balances={account.ex_id: held for account, (held, _) in zip(active, answers, strict=True)},
            positions={account.ex_id: taken for account, (_, taken) in zip(active, answers, strict=True)},
        )

    async def _ask(self, account: Account, turn: asyncio.Semaphore) -> tuple[list[Balance], list[Position]]:
        symbols = self.symbols.get(account.exchange, [])
        async with turn, asyncio.timeout(ANSWER_LIMIT):
            return (
                await self.feed.balances(account.ex_id, account.exchange, symbols),
                await self.feed.positions(account.ex_id, account.exchange, symbols),
            )


async def active_accounts(database: Database) -> list[Account]:
    """Every active account of everybody, in order."""
    rows = await database.rows(
        select(Exchange.ex_id, CatExchange.name.label("exchange"))
        .join(CatExchange, CatExchange.cat_ex_id == Exchange.cat_ex_id)
        .where(Exchange.active)
        .order_by(Exchange.ex_id)
    )
    return [Account(row.ex_id, row.exchange) for row in rows]
