"""`fullon-graphql services` with another clock: `CLOCK_AHEAD=-240 python -m tests.daemons.shifted_services`."""

from __future__ import annotations

import os
import time

AHEAD = float(os.environ["CLOCK_AHEAD"])
"""Seconds by which the clock of the process is ahead of the right time."""


def main() -> None:
    right_time = time.time
    time.time = lambda: right_time() + AHEAD
    from fullon_graphql.cli.services import services  # its modules must see the other clock

    services()


if __name__ == "__main__":
    main()
