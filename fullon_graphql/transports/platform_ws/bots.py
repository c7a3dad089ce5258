"""Status of bots, and instruments they have blocked: the caller's own bots, or all for administrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.transports.platform_ws.accounts import accounts_of
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    parse_key,
    string_param,
)

_STATUS = "feedNum status data timestamp"
_ONE = f"query ($botId: Int!) {{ bot(botId: $botId) {{ status {{ {_STATUS} }} }} }}"
_ALL = f"{{ bots(first: 1000) {{ nodes {{ botId status {{ {_STATUS} }} }} }} }}"
_LIVE = f"subscription ($botId: Int!) {{ botStatus(botId: $botId) {{ {_STATUS} }} }}"


async def get_bot_status(client: GraphClient, params: Params) -> Result:
    """The status of its first feed, and of all feeds as `data`."""
    bot_id = parse_key(params.get("bot_id"))
    bot = (await client.data(_ONE, botId=bot_id))["bot"]
    if bot is None:
        raise NotFound(f"You have no bot {shortened(bot_id)}.")
    first = bot["status"][0] if bot["status"] else {"status": None, "timestamp": None}
    head = {"bot_id": bot_id, "status": first["status"] or "unknown", "timestamp": first["timestamp"]}
    return head | {"data": _feeds(bot["status"])}


async def is_blocked(client: GraphClient, params: Params) -> Result:
    """Whether a bot has blocked the instrument on an account of the caller."""
    symbol, exchange = string_param(params, "symbol"), string_param(params, "exchange")
    accounts = await accounts_of(client, {"exchange": exchange}, "blocks { symbol botId }")
    holders = [block["botId"] for account in accounts for block in account["blocks"] if block["symbol"] == symbol]
    block = {"is_blocked": bool(holders), "blocked_by": min(holders, default=None)}
    return {"exchange": exchange, "symbol": symbol} | block | {"timestamp": datetime.now(UTC).isoformat()}


async def get_bots(client: GraphClient, _params: Params) -> Result:
    """The status of each bot that reports one, by bot and feed."""
    bots = (await client.data(_ALL))["bots"]["nodes"]
    return {"bots": {str(bot["botId"]): _feeds(bot["status"]) for bot in bots if bot["status"]}}


async def stream_bot_status(client: GraphClient, params: Params) -> Sequence[Source]:
    """The status of one bot, or of all current ones; each update has one bot."""
    if "bot_id" in params:
        bot_id = parse_key(params["bot_id"])
        await get_bot_status(client, {"bot_id": bot_id})
        return [_live(client, bot_id)]
    return [_live(client, bot["botId"]) for bot in (await client.data(_ALL))["bots"]["nodes"]]


def _live(client: GraphClient, bot_id: int) -> Source:
    events = client.events(_LIVE, botId=bot_id)
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
