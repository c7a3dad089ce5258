"""`python -m benchmarks setup | queries | growth | fanout`; README.md beside this says what is compared."""

from __future__ import annotations

from typing import Annotated

import typer

from benchmarks import fanout as telling
from benchmarks import growth as growing
from benchmarks import installing
from benchmarks import queries as comparing
from benchmarks.machine import leave_the_server_its_core
from benchmarks.peers import PEERS_BY_NAME
from benchmarks.questions import QUESTIONS

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Rounds = Annotated[int, typer.Option(min=1, help="Rounds; the medians are shown.")]
Seconds = Annotated[int, typer.Option(min=1, help="Seconds per measurement.")]
Clients = Annotated[int, typer.Option(min=1, help="Connections that ask at the same time.")]


@app.command()
def setup() -> None:
    """Install the peers, into folders that git ignores."""
    installing.setup()


@app.command()
def queries(
    rounds: Rounds = 3,
    seconds: Seconds = 2,
    clients: Clients = 16,
    peer: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(PEERS_BY_NAME)}; may be repeated.")] = None,
    question: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(QUESTIONS)}; may be repeated.")] = None,
) -> None:
    """Ourselves against the peers: everybody answers the same questions."""
    for given, known in ((peer or [], PEERS_BY_NAME), (question or [], QUESTIONS)):
        if unknown := set(given) - set(known):
            raise typer.BadParameter(f"{', '.join(sorted(unknown))} is not known; there are {', '.join(known)}.")
    leave_the_server_its_core()
    comparing.queries(
        peer or list(PEERS_BY_NAME), question or list(QUESTIONS), rounds=rounds, seconds=seconds, clients=clients
    )


@app.command()
def growth(rounds: Rounds = 3, seconds: Seconds = 1, clients: Clients = 16) -> None:
    """How our own cost grows: with the tables, with the answer, with the clients."""
    leave_the_server_its_core()
    growing.growth(rounds=rounds, seconds=seconds, clients=clients)


@app.command()
def fanout(
    rounds: Rounds = 3,
    seconds: Seconds = 5,
    sockets: Annotated[list[int] | None, typer.Option(help="How many listen; may be repeated.")] = None,
) -> None:
    """What it costs to tell many sockets of a price: ourselves, graphql-ws on Node, and Strawberry."""
    leave_the_server_its_core()
    telling.fanout(sockets=sockets or [1000, 5000], rounds=rounds, seconds=seconds)


app()
