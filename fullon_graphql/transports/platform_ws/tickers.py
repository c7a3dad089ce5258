"""Live prices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fullon_graphql.errors import NotFound, shortened
from fullon_graphql.transports.platform_ws.graph_client import (
    GraphClient,
    Params,
    Read,
    Result,
    Source,
    Stream,
    present_params,
    string_param,
)

_FIELDS = "symbol exchange price volume bid ask change time"
_ONE = (
    f"query ($exchange: String!, $symbol: String!) {{ ticker(exchange: $exchange, symbol: $symbol) {{ {_FIELDS} }} }}"
)
_ALL = f"query ($exchange: String!) {{ tickers(exchange: $exchange) {{ {_FIELDS} }} }}"
_LIVE = f"""subscription ($exchange: String!, $symbols: [String!]) {{
  tickers(exchange: $exchange, symbols: $symbols) {{ {_FIELDS} }}
}}"""


async def get_ticker(client: GraphClient, params: Params) -> Result:
    ticker = (await client.data(_ONE, **present_params(params, "exchange", "symbol")))["ticker"]
    if ticker is None:
        raise NotFound(f"There is no ticker of {shortened(params['symbol'])} on {shortened(params['exchange'])}.")
    return _result(ticker)


async def get_all_tickers(client: GraphClient, params: Params) -> Result:
    found = (await client.data(_ALL, **present_params(params, "exchange")))["tickers"]
    return {"exchange": params["exchange"], "tickers": [_result(ticker) for ticker in found]}


async def stream_tickers(client: GraphClient, params: Params) -> Sequence[Source]:
    events = client.events(_LIVE, exchange=string_param(params, "exchange"), **present_params(params, "symbols"))
    return [Source(events, lambda data: map(_result, data["tickers"]))]


def _result(ticker: Result) -> Result:
    """`timestamp` is in Unix seconds; `change_24h` is null if the exchange does not report it."""
    same = {name: ticker[name] for name in ("symbol", "exchange", "price", "volume", "bid", "ask")}
    time = datetime.fromisoformat(ticker["time"]).timestamp()
    return same | {"timestamp": time, "change_24h": ticker["change"]}


READS = {"get_ticker": Read(get_ticker, "TICKER_NOT_FOUND"), "get_all_tickers": Read(get_all_tickers)}
STREAMS = {"stream_tickers": Stream(stream_tickers, "ticker_update")}
