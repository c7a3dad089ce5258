"""One call of every mutation that changes rows, good as it stands: what all of them promise is tested on all of them."""

from __future__ import annotations

from dataclasses import dataclass

from fullon_graphql.auth.principal import Principal
from tests.fixtures.graph import principal
from tests.fixtures.rows import ADMIN, TRADER


@dataclass(frozen=True)
class Change:
    """A call on the small platform: its arguments and what is selected of its answer."""

    arguments: str
    selection: str = ""
    admin: bool = False
    """True where only administrators may."""

    def document(self, name: str, more: str = "") -> str:
        """The operation, with further arguments."""
        return f"mutation {{ {name}({self.arguments} {more}) {self.selection} }}"

    @property
    def caller(self) -> Principal:
        """Somebody who may."""
        return principal(ADMIN, admin=True) if self.admin else principal(TRADER)


CHANGES = {
    "createBot": Change('input: {name: "grid"}', "{ botId name active dryRun user { uid } exchanges { exId } }"),
    "updateBot": Change('input: {botId: 1, name: "renamed"}', "{ botId name exchanges { exId } }"),
    "deleteBot": Change("botId: 1"),
    "attachExchange": Change("botId: 2, exId: 20", "{ botId exchanges { exId } }"),
    "detachExchange": Change("botId: 1, exId: 20", "{ botId exchanges { exId } }"),
    "createOrder": Change(
        'input: {botId: 1, exId: 20, symbol: "BTC/USD", side: BUY, orderType: "limit", volume: 0.5, price: 60000}',
        "{ orderId status side bot { name } instrument { base } account { name } }",
    ),
    "updateOrderStatus": Change('orderId: 1, status: "filled"', "{ orderId status bot { botId } }"),
    "cancelOrder": Change("orderId: 1", "{ orderId status }"),
}
