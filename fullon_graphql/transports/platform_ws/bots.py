"""What bots say and keep to themselves: one's own bots, or all as administrator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fullon_graphql.errors import NotFound
from fullon_graphql.transports.platform_ws.accounts import accounts_of
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    key,
    text,
)

_STATUS = "feedNum status data timestamp"
_ONE = f"query ($botId: Int!) {{ bot(botId: $botId) {{ status {{ {_STATUS} }} }} }}"
_ALL = f"{{ bots(first: 1000) {{ nodes {{ botId status {{ {_STATUS} }} }} }} }}"
_LIVE = f"subscription ($botId: Int!) {{ botStatus(botId: $botId) {{ {_STATUS} }} }}"


async def get_bot_status(asking: GraphClient, params: Params) -> Result:
    """What it says of its first feed, and of all of them as `data`."""
    bot_id = key(params.get("bot_id"))
    bot = (await asking.data(_ONE, botId=bot_id))["bot"]
    if bot is None:
        raise NotFound(f"You have no bot {bot_id}.")
    first = bot["status"][0] if bot["status"] else {"status": None, "timestamp": None}
    named = {"bot_id": bot_id, "status": first["status"] or "unknown", "timestamp": first["timestamp"]}
    return named | {"data": _feeds(bot["status"])}


async def is_blocked(asking: GraphClient, params: Params) -> Result:
    """Whether a bot keeps the instrument to itself, on an account of one's own."""
    symbol, exchange = text(params, "symbol"), text(params, "exchange")
    accounts = await accounts_of(asking, {"exchange": exchange}, "blocks { symbol botId }")
    holders = [block["botId"] for account in accounts for block in account["blocks"] if block["symbol"] == symbol]
    held = {"is_blocked": bool(holders), "blocked_by": min(holders, default=None)}
    return {"exchange": exchange, "symbol": symbol} | held | {"timestamp": datetime.now(UTC).isoformat()}


async def get_bots(asking: GraphClient, _params: Params) -> Result:
    """What each of them says, by key and feed; who says nothing is left out."""
    bots = (await asking.data(_ALL))["bots"]["nodes"]
    return {"bots": {str(bot["botId"]): _feeds(bot["status"]) for bot in bots if bot["status"]}}


async def stream_bot_status(asking: GraphClient, params: Params) -> Sequence[Source]:
    """Of one bot, or of all there are now; each update has one of them."""
    if "bot_id" in params:
        bot_id = key(params["bot_id"])
        await get_bot_status(asking, {"bot_id": bot_id})
        return [_live(asking, bot_id)]
    return [_live(asking, bot["botId"]) for bot in (await asking.data(_ALL))["bots"]["nodes"]]


def _live(asking: GraphClient, bot_id: int) -> Source:
    events = asking.events(_LIVE, botId=bot_id)
    return Source(events, lambda data: [{"bots": {str(bot_id): _feeds(data["botStatus"])}}])


def _feeds(statuses: Sequence[Result]) -> Result:
    return {str(status["feedNum"]): status["data"] for status in statuses}


MISSING = "BOT_NOT_FOUND"
READS = {
    "get_bot_status": Read(get_bot_status, MISSING),
    "is_blocked": Read(is_blocked, MISSING),
    "get_bots": Read(get_bots, MISSING),
}
STREAMS = {"stream_bot_status": Stream(stream_bot_status, "bot_update", MISSING)}
