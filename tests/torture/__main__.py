"""`python -m tests.torture`: tortures the streams for a given time and number of clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import count, takewhile
from typing import Annotated

import typer

from tests.torture.torture import torture


def main(
    seconds: Annotated[int, typer.Option(min=1, help="Seconds after which no round begins.")] = 300,
    clients: Annotated[int, typer.Option(min=2, help="Half of them follow events, half states.")] = 100,
    seed: Annotated[int, typer.Option(help="The order of the blows, and what is written.")] = 1,
) -> None:
    """Torture the streams; exit code 1 where something was lost, doubled, out of order or is not the newest."""
    outcome = asyncio.run(torture(clients, seed, _rounds(seconds)))
    typer.echo(str(outcome))
    raise typer.Exit(not outcome.good)


def _rounds(seconds: int) -> Iterator[int]:
    """At least one round, and more until `seconds` after it has begun: the start of the servers does not count."""
    end = time.monotonic() + seconds
    yield 0
    yield from takewhile(lambda _: time.monotonic() < end, count(1))


typer.run(main)
