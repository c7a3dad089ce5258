"""Arguments that several fields take."""

from __future__ import annotations

from typing import Annotated

import strawberry

from fullon_graphql.daemons.control.state import ServiceName

ExchangeName = Annotated[str, strawberry.argument(description="Name of the exchange in lower case, e.g. `kraken`.")]
SymbolName = Annotated[
    str, strawberry.argument(description="Instrument in the exchange's spelling: `BTC/USD`, `BTC/USD:BTC`, `GOLD`.")
]
SymbolNames = Annotated[
    list[str] | None,
    strawberry.argument(description="Restrict to these instruments; by default all instruments of the exchange."),
]
EXPECTED_TIMESTAMP = (
    "The row's `timestamp` as you last read it, compared to the millisecond. If the row has another one now, the answer"
    " is CONFLICT."
)
WhichBot = Annotated[int, strawberry.argument(description="Key of the bot.")]
WhichExchange = Annotated[int, strawberry.argument(description="Key of the exchange account.")]
WhichOrder = Annotated[int, strawberry.argument(description="Key of the order.")]
WhichTrade = Annotated[int, strawberry.argument(description="Key of the trade.")]
WhichStrategy = Annotated[int, strawberry.argument(description="Key of the strategy.")]
WhichFeed = Annotated[int, strawberry.argument(description="Key of the feed.")]
WhichApiKey = Annotated[int, strawberry.argument(description="Number of the API key.")]
WhichAlertRule = Annotated[int, strawberry.argument(description="Key of the rule.")]
WhichWebhook = Annotated[int, strawberry.argument(description="Key of the webhook.")]
WhichUser = Annotated[int, strawberry.argument(description="Key of the user.")]
WhichSymbol = Annotated[int, strawberry.argument(description="Key of the instrument.")]
WhichCatExchange = Annotated[int, strawberry.argument(description="Key of the exchange in the catalogue.")]
WhichTemplate = Annotated[int, strawberry.argument(description="Key of the template.")]
WhichService = Annotated[ServiceName, strawberry.argument(description="Name of the service.")]
