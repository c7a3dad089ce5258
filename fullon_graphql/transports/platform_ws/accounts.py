"""Balances and positions of exchange accounts: the caller's own, or those of `user_id` for administrators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fullon_graphql.errors import BadUserInput, NotFound, shortened
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    parse_key,
)

_BALANCES = "balances { currency total free used updatedAt }"
_POSITION = "symbol side volume price marketPrice unrealizedPnl timestamp"
_LIVE_BALANCES = "subscription ($exId: Int!) { balances(exId: $exId) { currency total free used updatedAt } }"
_LIVE_POSITIONS = f"subscription ($exId: Int!) {{ positions(exId: $exId) {{ {_POSITION} }} }}"


async def accounts_of(client: GraphClient, params: Params, fields: str = "") -> list[Result]:
    """The accounts of `user_id`, or the caller's own; only those on `exchange`: its name, or an account's name or key.

    Raises:
        NotFound: there is none, or it belongs to another user.
    """
    document = f"""query ($filter: ExchangeFilter) {{
      exchanges(first: 1000, filter: $filter) {{ nodes {{ exId uid name exchangeName active {fields} }} }}
    }}"""
    found = (await client.data(document, filter=_filter(client, params)))["exchanges"]["nodes"]
    if not found and ("user_id" in params or "exchange" in params or "ex_id" in params):
        raise NotFound("You have no such account.")
    accounts: list[Result] = found
    return accounts


def _filter(client: GraphClient, params: Params) -> Result:
    uid = parse_key(params.get("user_id"))
    conditions: dict[str, Any] = {"uid": {"eq": client.principal.uid if uid is None else uid}}
    exchange = parse_key(params.get("ex_id", params.get("exchange")))
    if isinstance(exchange, int):
        conditions["exId"] = {"eq": exchange}
    elif exchange is not None:
        conditions["or"] = [{"exchangeName": {"eq": exchange}}, {"name": {"eq": exchange}}]
    return conditions


async def get_balance(client: GraphClient, params: Params) -> Result:
    """The balance of one currency over the requested accounts; `currency` is optional if they have only one."""
    accounts = await accounts_of(client, params, _BALANCES)
    balances = [balance for account in accounts for balance in account["balances"]]
    currencies = sorted({balance["currency"] for balance in balances})
    currency = params.get("currency") or (currencies[0] if len(currencies) == 1 else None)
    if currencies and currency is None:
        raise BadUserInput(f"`currency` must be one of {', '.join(currencies)}.", field="currency")
    found = [balance for balance in balances if balance["currency"] == currency]
    if not found:
        raise NotFound(f"There is no balance of {shortened(currency) if currency else 'any currency'}.")
    return {"user_id": accounts[0]["uid"]} | _sum(found)


async def get_user_balances(client: GraphClient, params: Params) -> Result:
    accounts = await accounts_of(client, params, _BALANCES)
    balances = [
        _account(account) | _sum([balance])
        for account in accounts
        for balance in sorted(account["balances"], key=lambda balance: str(balance["currency"]))
    ]
    return {"user_id": _uid(client, accounts), "count": len(balances), "balances": balances}


async def get_positions(client: GraphClient, params: Params) -> Result:
    accounts = await accounts_of(client, params, f"positions {{ {_POSITION} }}")
    positions = [
        _result(account, position)
        for account in accounts
        for position in sorted(account["positions"], key=lambda position: str(position["symbol"]))
    ]
    head = {"user_id": _uid(client, accounts), "exchange": params.get("exchange")}
    return head | {"count": len(positions), "positions": positions}


async def get_account_status(client: GraphClient, params: Params) -> Result:
    accounts = await accounts_of(client, params, f"{_BALANCES} positions {{ symbol }}")
    statuses = [
        _account(account)
        | {
            "name": account["name"],
            "active": account["active"],
            "currencies": len(account["balances"]),
            "positions": len(account["positions"]),
            "timestamp": _newest(account["balances"]),
        }
        for account in accounts
    ]
    return {"user_id": _uid(client, accounts), "accounts": statuses}


async def stream_positions(client: GraphClient, params: Params) -> Sequence[Source]:
    """Each position now and at each change; a closed one comes with `size` 0."""
    accounts = await accounts_of(client, params)
    return [Source(client.events(_LIVE_POSITIONS, exId=account["exId"]), _positions(account)) for account in accounts]


async def stream_balances(client: GraphClient, params: Params) -> Sequence[Source]:
    """Each balance now and at each change; one that no longer exists comes with zeros."""
    accounts = await accounts_of(client, params)
    return [Source(client.events(_LIVE_BALANCES, exId=account["exId"]), _balances(account)) for account in accounts]


def _positions(account: Result) -> Callable[[Any], Iterable[Result]]:
    changes = Changes("symbol", {"volume": 0, "side": None, "unrealizedPnl": None})
    return lambda data: [
        {"user_id": account["uid"]} | _result(account, position) for position in changes.update(data["positions"])
    ]


def _balances(account: Result) -> Callable[[Any], Iterable[Result]]:
    changes = Changes("currency", {"total": 0, "free": 0, "used": 0})
    return lambda data: [
        {"user_id": account["uid"]} | _account(account) | _sum([balance])
        for balance in changes.update(data["balances"])
    ]


class Changes:
    """Compares each list of rows with the one before, by `key`. Removed rows get the values of `removed`."""

    def __init__(self, key: str, removed: Result) -> None:
        self._key = key
        self._removed = removed
        self._known: dict[Any, Result] = {}

    def update(self, rows: Sequence[Result]) -> list[Result]:
        """The rows that have been removed or changed since the list before."""
        known, self._known = self._known, {row[self._key]: row for row in rows}
        removed = [row | self._removed for name, row in known.items() if name not in self._known]
        return removed + [row for name, row in self._known.items() if row != known.get(name)]


def _uid(client: GraphClient, accounts: Sequence[Result]) -> Any:
    return accounts[0]["uid"] if accounts else client.principal.uid


def _account(account: Result) -> Result:
    return {"ex_id": account["exId"], "exchange": account["exchangeName"]}


def _sum(balances: Sequence[Result]) -> Result:
    """The sum of balances of one currency."""
    return {
        "currency": balances[0]["currency"],
        "total_balance": sum(balance["total"] for balance in balances),
        "available_balance": sum(balance["free"] for balance in balances),
        "reserved_balance": sum(balance["used"] for balance in balances),
        "timestamp": _newest(balances),
    }


def _newest(balances: Sequence[Result]) -> str | None:
    return max((balance["updatedAt"] for balance in balances if balance["updatedAt"]), default=None)


def _result(account: Result, position: Result) -> Result:
    """`size` is negative for a short; prices and `pnl` are in quote currency, null without a market price."""
    cost, pnl = abs(position["price"] * position["volume"]), position["unrealizedPnl"]
    return _account(account) | {
        "symbol": position["symbol"],
        "side": position["side"],
        "size": position["volume"],
        "entry_price": position["price"],
        "mark_price": position["marketPrice"],
        "pnl": pnl,
        "pnl_percent": 100 * pnl / cost if cost and pnl is not None else None,
        "timestamp": position["timestamp"],
    }


MISSING = "BALANCE_NOT_FOUND"
READS = {"get_balance": Read(get_balance, MISSING), "get_positions": Read(get_positions, MISSING)}
STREAMS = {"stream_positions": Stream(stream_positions, "position_update", MISSING)}
