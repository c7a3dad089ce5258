"""An exchange on this machine with many symbols: `python -m benchmarks.exchange CHANNEL SYMBOLS RATE`.

It prints the value of EXCHANGE_URLS. Once every symbol is subscribed to, each gets RATE updates per second, spread
evenly over the second. Its price is the time of the update in unix seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Final

from tests.fixtures.eventually import eventually
from tests.fixtures.loopback.exchange import Instrument, Quote
from tests.fixtures.loopback.kraken import LoopbackKraken

STEP: Final = 0.01
"""Seconds between two bursts."""
BURST: Final = 50
"""Updates without a pause."""


def symbols(count: int) -> list[str]:
    """The names of the symbols."""
    return [f"S{number:03}/USD" for number in range(count)]


async def serve(channel: str, count: int, rate: int) -> None:
    """Run until the process is terminated."""
    names = symbols(count)
    kraken = LoopbackKraken(*(Instrument(name, price_decimals=4) for name in names))
    async with kraken.running():
        print(json.dumps(kraken.urls), flush=True)
        await eventually(lambda: len(kraken.subscriptions) >= count, seconds=600)
        started, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - started) * count * rate)
            for number in range(sent, due):
                await _update(kraken, channel, names[number % count])
                if number % BURST == 0:
                    await asyncio.sleep(0)  # answers to pings are sent too
            sent = due
            await asyncio.sleep(STEP)


async def _update(kraken: LoopbackKraken, channel: str, name: str) -> None:
    now = round(time.time(), 4)
    with suppress(ConnectionError):  # the next connection gets the next update
        if channel == "ticker":
            await kraken.tick(name, Quote(last=now, bid=now - 1, ask=now + 1))
        else:
            await kraken.trade(name, now, 0.5)
            kraken.instruments[name].deals.clear()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
