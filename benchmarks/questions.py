"""The questions: one document each, or up to 200 different ones in rotation, over the contract's schema.

A peer with another schema has equivalent documents; aliases give its answers the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

DOCUMENTS_IN_ROTATION = 200


@dataclass(frozen=True)
class Question:
    """`budget` has the required rates, as factors of a peer's rate."""

    name: str
    title: str
    document: str
    count: int = 1
    budget: tuple[tuple[str, float], ...] = ()

    def documents(self, instead: str | None = None) -> list[str]:
        """The documents to send in rotation; `instead` is the peer's own document."""
        template = Template(instead or self.document)
        return [
            template.safe_substitute(number=number, bot=1 + number % 7, first=26 + number, last=401 + number)
            for number in range(self.count)
        ]


_CANDLE = "time open high low close volume"
_MARKET = 'exchange: "kraken", symbol: "BTC/USD", timeframe: M1'
_ORDER = "orderId symbol side volume price status timestamp bot { botId name user { uid mail } }"
_MERCURIUS_AND_STRAWBERRY = (("mercurius", 2.0), ("strawberry", 10.0))

REPLY = Question("reply", "a bare reply", "{ __typename }")
"""The limit of the machine; measured on the floors only."""

QUESTIONS = {
    question.name: question
    for question in (
        Question(
            "candles",
            "500 candles as rows",
            f"{{ candles({_MARKET}, last: 500) {{ {_CANDLE} }} }}",
            budget=_MERCURIUS_AND_STRAWBERRY,
        ),
        Question(
            "columns",
            "500 candles as columns",
            f"{{ candleColumns({_MARKET}, last: 500) {{ {_CANDLE} }} }}",
            budget=(("mercurius", 4.0), ("strawberry", 10.0)),
        ),
        Question(
            "lengths",
            "401 to 500 candles as columns in rotation",
            f"{{ candleColumns({_MARKET}, last: $last) {{ {_CANDLE} }} }}",
            count=100,
        ),
        Question(
            "orders",
            "50 orders → bot → user",
            f"{{ orders(first: 50) {{ nodes {{ {_ORDER} }} }} }}",
            budget=_MERCURIUS_AND_STRAWBERRY,
        ),
        Question(
            "pages",
            "26 to 75 orders → bot → user in rotation",
            f"{{ orders(first: $first) {{ nodes {{ {_ORDER} }} }} }}",
            count=50,
        ),
        Question(
            "bots",
            "20 bots → 10 orders each → instrument → ticker",
            "{ bots(first: 20) { nodes { botId name orders(first: 10) { nodes { orderId side volume price"
            " instrument { symbolId symbol base decimals ticker { price bid ask } } } } } } }",
            budget=(("mercurius", 1.0),),
        ),
        Question("me", "me { uid mail } with a verified JWT", "{ me { uid mail } }"),
        Question("bot", "one bot by id", "{ bot(botId: 1) { botId name active dryRun timestamp } }"),
        Question(
            "documents",
            f"{DOCUMENTS_IN_ROTATION} different documents in rotation",
            "query Q$number { bot$number: bot(botId: $bot) { botId name user { uid mail } } }",
            count=DOCUMENTS_IN_ROTATION,
        ),
    )
}
