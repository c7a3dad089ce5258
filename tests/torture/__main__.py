"""`python -m tests.torture`: injects faults under open streams for a given time and number of clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from itertools import count, takewhile
from typing import Annotated

import typer

from tests.deploy.proxies import program
from tests.torture.torture import ONE_SERVER, SCALED, SENTINEL, torture


def main(
    seconds: Annotated[int, typer.Option(min=1, help="Seconds after which no further round begins.")] = 300,
    clients: Annotated[
        int, typer.Option(min=2, help="Number of clients; half of them receive events, half states.")
    ] = 100,
    sentinel: Annotated[bool, typer.Option("--sentinel", help="Put Redis behind Sentinel; it fails over.")] = False,
    scaled: Annotated[
        bool,
        typer.Option(
            "--scaled", help="Two servers behind HAProxy, PostgreSQL with a replica, Sentinel; every engine fails over."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Determines the order of the faults and the written values.")] = 1,
) -> None:
    """Inject faults under open streams.

    Exit code 1 if events are lost, doubled or out of order, a state is not the newest, a committed change is lost, a
    webhook has not received every event with a valid signature and one id, a lost session has not halted trading once
    or one that stays has, or with `--scaled` a request fails outside of the window that is stated for a fault.
    """
    if scaled and program("haproxy") is None:
        raise typer.BadParameter("--scaled needs HAProxy: apt-get install haproxy")
    rounds = _rounds(seconds)
    if scaled:
        outcome = asyncio.run(torture(SCALED, clients, seed, rounds))
    else:
        outcome = asyncio.run(torture(SENTINEL if sentinel else ONE_SERVER, clients, seed, rounds))
    typer.echo(str(outcome))
    raise typer.Exit(not outcome.good)


def _rounds(seconds: int) -> Iterator[int]:
    """One round, and further ones until `seconds` after its beginning; the start of the servers does not count."""
    end = time.monotonic() + seconds
    yield 0
    yield from takewhile(lambda _: time.monotonic() < end, count(1))


typer.run(main)
