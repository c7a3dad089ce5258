"""The measured servers: their commands, and their documents if they have another schema."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from benchmarks.machine import PEERS, PYTHON, node
from benchmarks.peers import documents
from benchmarks.questions import QUESTIONS, REPLY, Question


def uvicorn(app: str) -> list[str]:
    """The command that serves an application of a peer in Python."""
    options = [
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--log-level",
        "warning",
        "--port",
        "{port}",
    ]
    return [str(PYTHON), "-m", "uvicorn", "--app-dir", str(PEERS), *options, app]


@dataclass(frozen=True)
class Peer:
    """One server. `own` has the documents for its schema; a question with None is left out."""

    name: str
    title: str
    command: Callable[[], list[str]]
    own: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def documents(self, question: Question) -> list[str]:
        """The documents for a question; empty if it is left out."""
        if question.name in self.own:
            own = self.own[question.name]
            return question.documents(own) if own else []
        return [] if question is REPLY else question.documents()


def _ourselves() -> list[str]:
    """The worker alone: the peers have no services, and theirs would share the server's core."""
    return [str(Path(sys.executable).with_name("fullon-graphql")), "serve", "--no-services", "--port", "{port}"]


_BY_NAME: dict[str, str | None] = {name: name for name in [*QUESTIONS, REPLY.name]} | {
    "lengths": None,
    "pages": None,
    "documents": None,
}
"""The floors implement no GraphQL: they receive the name of the question."""

PEERS_BY_NAME = {
    peer.name: peer
    for peer in (
        Peer("fullon", "fullon_graphql", _ourselves),
        Peer("mercurius", "Mercurius + graphql-jit", lambda: [str(node()), str(PEERS / "mercurius.js")]),
        Peer(
            "postgraphile",
            "PostGraphile 5",
            lambda: [str(node()), str(PEERS / "postgraphile.js")],
            documents.POSTGRAPHILE,
        ),
        Peer("strawberry", "Strawberry as in its guide", lambda: uvicorn("stock_strawberry:app")),
        Peer("strawchemy", "Strawchemy", lambda: uvicorn("stock_strawchemy:app"), documents.STRAWCHEMY),
        Peer("rows", "floor: rows and orjson, no GraphQL", lambda: uvicorn("floor_of_rows:app"), _BY_NAME),
        Peer("sql", "floor: JSON made by PostgreSQL, no GraphQL", lambda: uvicorn("floor_of_sql:app"), _BY_NAME),
    )
}
OURS = PEERS_BY_NAME["fullon"]
