"""`python -m tests.torture`: the torture for as long, and of as many clients, as one wants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import count, takewhile
from typing import Annotated

import typer

from tests.torture.torture import torture


def main(
    seconds: Annotated[int, typer.Option(min=1, help="No round begins after so many.")] = 300,
    clients: Annotated[int, typer.Option(min=2, help="Half of them follow events, half of them states.")] = 100,
    seed: Annotated[int, typer.Option(help="The order of the blows, and what is written.")] = 1,
) -> None:
    """Torture the streams; exit code 1 where something was lost, doubled, out of order or is not the newest."""
    outcome = asyncio.run(torture(clients, seed, _rounds(seconds)))
    typer.echo(str(outcome))
    raise typer.Exit(not outcome.good)


def _rounds(seconds: int) -> Iterator[int]:
    end = time.monotonic() + seconds
    return takewhile(lambda _: time.monotonic() < end, count())


typer.run(main)
