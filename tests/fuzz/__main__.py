"""`python -m tests.fuzz`: sends hostile input of every kind for a given time."""

from __future__ import annotations

import asyncio
import random
import warnings
from typing import Annotated

import typer
from hypothesis.errors import HypothesisWarning

from tests.fuzz.fuzz import KINDS, fuzz_for


def main(
    seconds: Annotated[int, typer.Option(min=1, help="Seconds after which no further cases are drawn.")] = 300,
    seed: Annotated[
        int | None, typer.Option(help="Draws the same cases again; chosen and printed without one.")
    ] = None,
    only: Annotated[str, typer.Option(help="Part of the names of the kinds to play.")] = "",
) -> None:
    """Send hostile input; exit code 1 if it leads to an internal error, a dead stream or a pause of the event loop."""
    warnings.simplefilter("ignore", HypothesisWarning)  # of large cases
    chosen = random.getrandbits(32) if seed is None else seed
    typer.echo(f"seed {chosen}")
    findings = asyncio.run(fuzz_for(seconds, chosen, tuple(kind for kind in KINDS if only in kind.name)))
    typer.echo(str(findings))
    raise typer.Exit(bool(findings.faults or findings.pauses))


if __name__ == "__main__":
    typer.run(main)
