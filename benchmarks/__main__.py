"""`python -m benchmarks COMMAND`; README.md lists the commands and describes the comparison."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks import documents as distinct
from benchmarks import fanout as delivering
from benchmarks import feed as feeding
from benchmarks import feeds as streaming
from benchmarks import growth as growing
from benchmarks import installing
from benchmarks import queries as comparing
from benchmarks import rest as routing
from benchmarks import results as summing
from benchmarks import scaling as growing_out
from benchmarks import sockets as opening
from benchmarks import storm as restarting
from benchmarks import tracing as observing
from benchmarks.machine import leave_the_server_its_core
from benchmarks.peers import PEERS_BY_NAME
from benchmarks.questions import QUESTIONS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Rounds = Annotated[int, typer.Option(min=1, help="Rounds; the report shows medians.")]
Seconds = Annotated[int, typer.Option(min=1, help="Seconds per measurement.")]
Clients = Annotated[int, typer.Option(min=1, help="Concurrent connections.")]


@app.command()
def setup() -> None:
    """Install the peers into folders that git ignores."""
    installing.setup()


@app.command()
def queries(
    rounds: Rounds = 3,
    seconds: Seconds = 2,
    clients: Clients = 16,
    peer: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PEERS_BY_NAME)}; may be repeated.")] = None,
    question: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(QUESTIONS)}; may be repeated.")] = None,
) -> None:
    """This server and the peers on the same questions."""
    for given, known in ((peer or [], PEERS_BY_NAME), (question or [], QUESTIONS)):
        if unknown := set(given) - set(known):
            raise typer.BadParameter(f"{', '.join(sorted(unknown))} is unknown; choose from {', '.join(known)}.")
    leave_the_server_its_core()
    comparing.queries(
        peer or list(PEERS_BY_NAME), question or list(QUESTIONS), rounds=rounds, seconds=seconds, clients=clients
    )


@app.command()
def growth(rounds: Rounds = 3, seconds: Seconds = 1, clients: Clients = 16) -> None:
    """How the cost of this server grows with tables, answers and clients."""
    leave_the_server_its_core()
    growing.growth(rounds=rounds, seconds=seconds, clients=clients)


@app.command()
def rest(rounds: Rounds = 3, seconds: Seconds = 2, clients: Clients = 16) -> None:
    """REST routes and the verification of tokens, beside FastAPI as in its guide and a bare ASGI reply."""
    leave_the_server_its_core()
    routing.rest(rounds=rounds, seconds=seconds, clients=clients)


@app.command()
def fanout(
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    sockets: Annotated[list[int] | None, typer.Option(help="Number of sockets; may be repeated.")] = None,
    peer: Annotated[list[str] | None, typer.Option(help="The beginning of a server's name; may be repeated.")] = None,
) -> None:
    """The cost of delivering prices to many sockets: this server, graphql-ws on Node, and Strawberry."""
    servers = [name for name in delivering.STREAMERS if name.startswith(tuple(peer or [""]))]
    leave_the_server_its_core()
    delivering.fanout(servers, sockets=sockets or [1000, 5000], rounds=rounds, seconds=seconds)


@app.command()
def sockets(count: Annotated[int, typer.Option(min=1, help="Open sockets.")] = 10_000, seconds: Seconds = 10) -> None:
    """Opening a socket, and many open sockets that receive one price a second."""
    leave_the_server_its_core()
    opening.sockets(count=count, seconds=seconds)


@app.command()
def feed(
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    writers: Annotated[int, typer.Option(min=1, help="Concurrent writers.")] = 32,
    changes: Annotated[int, typer.Option(min=100, help="Changes whose delay is measured.")] = 300,
) -> None:
    """The cost of the change feed for writers, and the delay from a commit to a socket."""
    feeding.feed(rounds=rounds, seconds=seconds, writers=writers, changes=changes)


@app.command()
def scaling() -> None:
    """The cost of one more worker to Redis and PostgreSQL."""
    growing_out.scaling()


@app.command()
def storm(
    subscribers: Annotated[int, typer.Option(min=100, help="Open subscriptions.")] = 2_000,
    drain: Annotated[list[float] | None, typer.Option(help="DRAIN_SECONDS; may be repeated.")] = None,
) -> None:
    """A rolling restart of two servers under subscribers that resume after their cursors."""
    leave_the_server_its_core()
    restarting.storm(subscribers=subscribers, drain=drain or [30.0, 0.0])


@app.command()
def tracing(rounds: Rounds = 5, seconds: Seconds = 2, clients: Clients = 16) -> None:
    """The processor time that traces add to a small question."""
    leave_the_server_its_core()
    observing.tracing(rounds=rounds, seconds=seconds, clients=clients)


@app.command()
def feeds(
    symbols: Annotated[int, typer.Option(min=1, help="Symbols of the exchange.")] = 500,
    rate: Annotated[int, typer.Option(min=1, help="Updates per second of each.")] = 10,
    seconds: Seconds = 20,
) -> None:
    """Processor time, memory and delay of the services process with live data of many symbols."""
    leave_the_server_its_core()
    streaming.feeds(count=symbols, rate=rate, seconds=seconds)


@app.command()
def documents(
    count: Annotated[int, typer.Option(min=100, help="Distinct documents.")] = 10_000, clients: Clients = 8
) -> None:
    """Memory and pauses of a worker that receives distinct documents of every size."""
    leave_the_server_its_core()
    distinct.measure_documents(count=count, clients=clients)


@app.command()
def results(
    rounds: Rounds = 5, trades: Annotated[int, typer.Option(min=1, help="Trades of the year.")] = 100_000
) -> None:
    """Statistics and results over time of a year with many trades."""
    summing.results(trades=trades, rounds=rounds)


app()
