"""`python -m tests.torture`: injects faults under open streams for a given time and number of clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import count, takewhile
from typing import Annotated

import typer

from tests.torture.torture import torture


def main(
    seconds: Annotated[int, typer.Option(min=1, help="Seconds after which no further round begins.")] = 300,
    clients: Annotated[
        int, typer.Option(min=2, help="Number of clients; half of them receive events, half states.")
    ] = 100,
    sentinel: Annotated[bool, typer.Option("--sentinel", help="Put Redis behind Sentinel; it fails over.")] = False,
    seed: Annotated[int, typer.Option(help="Determines the order of the faults and the written values.")] = 1,
) -> None:
    """Inject faults under open streams; exit code 1 if events are lost, doubled or out of order, or a state is not the newest."""
    outcome = asyncio.run(torture(clients, seed, _rounds(seconds), sentinel=sentinel))
    typer.echo(str(outcome))
    raise typer.Exit(not outcome.good)


def _rounds(seconds: int) -> Iterator[int]:
    """One round, and further ones until `seconds` after its beginning; the start of the servers does not count."""
    end = time.monotonic() + seconds
    yield 0
    yield from takewhile(lambda _: time.monotonic() < end, count(1))


typer.run(main)
