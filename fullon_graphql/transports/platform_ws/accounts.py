"""What accounts on exchanges hold: one's own, or as administrator those of the `user_id` that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fullon_graphql.errors import BadUserInput, NotFound
from fullon_graphql.transports.platform_ws.graph_client import GraphClient, Params, Read, Result, Source, Stream, key

_BALANCES = "balances { currency total free used updatedAt }"
_POSITION = "symbol side volume price marketPrice unrealizedPnl timestamp"
_LIVE_BALANCES = "subscription ($exId: Int!) { balances(exId: $exId) { currency total free used updatedAt } }"
_LIVE_POSITIONS = f"subscription ($exId: Int!) {{ positions(exId: $exId) {{ {_POSITION} }} }}"


async def accounts_of(asking: GraphClient, params: Params, fields: str = "") -> list[Result]:
    """The accounts that are asked for: of `user_id`, else one's own; on `exchange`, by its name, the account's or key.

    Raises:
        NotFound: there are none such, or they are somebody else's.
    """
    document = f"""query ($filter: ExchangeFilter) {{
      exchanges(first: 1000, filter: $filter) {{ nodes {{ exId uid name exchangeName active {fields} }} }}
    }}"""
    found = (await asking.data(document, filter=_filter(asking, params)))["exchanges"]["nodes"]
    if not found and ("user_id" in params or "exchange" in params or "ex_id" in params):
        raise NotFound("You have no such account.")
    accounts: list[Result] = found
    return accounts


def _filter(asking: GraphClient, params: Params) -> Result:
    uid = key(params.get("user_id"))
    demands: dict[str, Any] = {"uid": {"eq": asking.principal.uid if uid is None else uid}}
    exchange = key(params.get("ex_id", params.get("exchange")))
    if isinstance(exchange, int):
        demands["exId"] = {"eq": exchange}
    elif exchange is not None:
        demands["or"] = [{"exchangeName": {"eq": exchange}}, {"name": {"eq": exchange}}]
    return demands


async def get_balance(asking: GraphClient, params: Params) -> Result:
    """Of one currency, over the accounts that are asked for; `currency` may be left out where they hold only one."""
    accounts = await accounts_of(asking, params, _BALANCES)
    held = [balance for account in accounts for balance in account["balances"]]
    currencies = sorted({balance["currency"] for balance in held})
    wanted = params.get("currency") or (currencies[0] if len(currencies) == 1 else None)
    if currencies and wanted is None:
        raise BadUserInput(f"`currency` must be one of {', '.join(currencies)}.", field="currency")
    found = [balance for balance in held if balance["currency"] == wanted]
    if not found:
        raise NotFound(f"There is no balance of {wanted or 'any currency'}.")
    return {"user_id": accounts[0]["uid"]} | _sum(found)


async def get_user_balances(asking: GraphClient, params: Params) -> Result:
    accounts = await accounts_of(asking, params, _BALANCES)
    balances = [
        _account(account) | _sum([balance])
        for account in accounts
        for balance in sorted(account["balances"], key=lambda balance: str(balance["currency"]))
    ]
    return {"user_id": _uid(asking, accounts), "count": len(balances), "balances": balances}


async def get_positions(asking: GraphClient, params: Params) -> Result:
    accounts = await accounts_of(asking, params, f"positions {{ {_POSITION} }}")
    positions = [
        _worded(account, position)
        for account in accounts
        for position in sorted(account["positions"], key=lambda position: str(position["symbol"]))
    ]
    named = {"user_id": _uid(asking, accounts), "exchange": params.get("exchange")}
    return named | {"count": len(positions), "positions": positions}


async def get_account_status(asking: GraphClient, params: Params) -> Result:
    accounts = await accounts_of(asking, params, f"{_BALANCES} positions {{ symbol }}")
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
    return {"user_id": _uid(asking, accounts), "accounts": statuses}


async def stream_positions(asking: GraphClient, params: Params) -> Sequence[Source]:
    """Each position at once and when it changes; one that has been closed comes with `size` 0."""
    accounts = await accounts_of(asking, params)
    return [Source(asking.events(_LIVE_POSITIONS, exId=account["exId"]), _positions(account)) for account in accounts]


async def stream_balances(asking: GraphClient, params: Params) -> Sequence[Source]:
    """Each balance at once and when it changes; one that is gone comes with zeros."""
    accounts = await accounts_of(asking, params)
    return [Source(asking.events(_LIVE_BALANCES, exId=account["exId"]), _balances(account)) for account in accounts]


def _positions(account: Result) -> Callable[[Any], Iterable[Result]]:
    changes = Changes("symbol", {"volume": 0, "side": None, "unrealizedPnl": None})
    return lambda data: [
        {"user_id": account["uid"]} | _worded(account, position) for position in changes.of(data["positions"])
    ]


def _balances(account: Result) -> Callable[[Any], Iterable[Result]]:
    changes = Changes("currency", {"total": 0, "free": 0, "used": 0})
    return lambda data: [
        {"user_id": account["uid"]} | _account(account) | _sum([balance]) for balance in changes.of(data["balances"])
    ]


class Changes:
    """What of a list is not as it was before, by `key`; what has left it, once more, with the values of `gone`."""

    def __init__(self, key: str, gone: Result) -> None:
        self._key = key
        self._gone = gone
        self._known: dict[Any, Result] = {}

    def of(self, rows: Sequence[Result]) -> list[Result]:
        """The changes since the list before."""
        known, self._known = self._known, {row[self._key]: row for row in rows}
        left = [row | self._gone for name, row in known.items() if name not in self._known]
        return left + [row for name, row in self._known.items() if row != known.get(name)]


def _uid(asking: GraphClient, accounts: Sequence[Result]) -> Any:
    return accounts[0]["uid"] if accounts else asking.principal.uid


def _account(account: Result) -> Result:
    return {"ex_id": account["exId"], "exchange": account["exchangeName"]}


def _sum(balances: Sequence[Result]) -> Result:
    """Balances of one currency as one."""
    return {
        "currency": balances[0]["currency"],
        "total_balance": sum(balance["total"] for balance in balances),
        "available_balance": sum(balance["free"] for balance in balances),
        "reserved_balance": sum(balance["used"] for balance in balances),
        "timestamp": _newest(balances),
    }


def _newest(balances: Sequence[Result]) -> str | None:
    return max((balance["updatedAt"] for balance in balances if balance["updatedAt"]), default=None)


def _worded(account: Result, position: Result) -> Result:
    """`size` is below zero for a short; prices and `pnl` in quote currency, null where there is no market price."""
    paid, pnl = abs(position["price"] * position["volume"]), position["unrealizedPnl"]
    return _account(account) | {
        "symbol": position["symbol"],
        "side": position["side"],
        "size": position["volume"],
        "entry_price": position["price"],
        "mark_price": position["marketPrice"],
        "pnl": pnl,
        "pnl_percent": 100 * pnl / paid if paid and pnl is not None else None,
        "timestamp": position["timestamp"],
    }


MISSING = "BALANCE_NOT_FOUND"
READS = {"get_balance": Read(get_balance, MISSING), "get_positions": Read(get_positions, MISSING)}
STREAMS = {"stream_positions": Stream(stream_positions, "position_update", MISSING)}
