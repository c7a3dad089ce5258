"""`python -m benchmarks growth`: the cost of this server by size of tables, size of answers and number of clients."""

from __future__ import annotations

from collections import defaultdict

from benchmarks.load import load
from benchmarks.machine import description, quiet
from benchmarks.measuring import Sample, measure, middle
from benchmarks.peers import OURS
from benchmarks.questions import QUESTIONS
from benchmarks.report import number, table
from benchmarks.servers import Server, server
from benchmarks.stores import Stores, enlarged, stores

FACTOR = 10
ANSWERS = (1, 10, 100, 1000, 5000)
CLIENTS = (1, 4, 16, 64, 256)


def growth(*, rounds: int, seconds: int, clients: int) -> None:
    """Measure and print the tables."""
    with stores() as small:
        large = enlarged(small, FACTOR)
        command, environment = OURS.command(), dict(OURS.environment)
        with (
            server("small", command, environment, small) as on_small,
            server("large", command, environment, large) as on_large,
        ):
            print(f"{description()}; {clients} clients, medians of {rounds} rounds of {seconds} s; {quiet()}.\n")
            _tables({"small": on_small, "large": on_large}, small, rounds, seconds, clients)
            _answers(on_small, small, rounds, seconds, clients)
            _clients({"1, alone on its core": on_small}, small, rounds, seconds)
        with (
            server("one worker", command, environment, small, alone=False) as one,
            server("two workers", [*command, "--workers", "2"], environment, small, alone=False) as two,
        ):
            _clients({"1": one, "2": two}, small, rounds, seconds)


def _tables(servers: dict[str, Server], data: Stores, rounds: int, seconds: int, clients: int) -> None:
    rows = []
    for question in QUESTIONS.values():
        samples = defaultdict(list)
        for _ in range(rounds):
            for name, each in servers.items():
                documents = question.documents()
                load(each, documents, clients, seconds=1)
                samples[name].append(measure(each, data, documents, clients=clients, seconds=seconds))
        before, after = middle(samples["small"]), middle(samples["large"])
        change = (_cost(after) / _cost(before) - 1) * 100
        rows.append(
            [question.title, *map(number, (before.rate, after.rate, _cost(before), _cost(after))), f"{change:+.0f} %"]
        )
    heads = ["", "requests/s", f"with {FACTOR} times the rows", "CPU ms", f"with {FACTOR} times the rows", "change"]
    print(f"### {FACTOR} times the rows in the tables\n\n{table(heads, rows)}")


def _answers(on: Server, data: Stores, rounds: int, seconds: int, clients: int) -> None:
    rows = []
    for count in ANSWERS:
        for name in ("candles", "columns"):
            [document] = QUESTIONS[name].documents()
            found = _median(on, data, [document.replace("500", str(count))], rounds, seconds, clients)
            rows.append([f"{count} candles, {name}", *map(number, (found.rate, found.p50, found.server, found.stores)),
                         number(_cost(found) / count * 1000)])  # fmt: skip
    heads = ["", "requests/s", "p50 ms", "server CPU ms", "stores CPU ms", "CPU µs per row"]
    print(f"### Rows per answer\n\n{table(heads, rows)}", flush=True)


def _clients(servers: dict[str, Server], data: Stores, rounds: int, seconds: int) -> None:
    """Servers by their number of workers. If they have no core of their own, they share all with stores and clients."""
    rows = []
    for name in ("me", "orders"):
        for clients in CLIENTS:
            for workers, on in servers.items():
                found = _median(on, data, QUESTIONS[name].documents(), rounds, seconds, clients)
                figures = map(number, (found.rate, found.p50, found.p99, _cost(found)))
                rows.append([QUESTIONS[name].title, str(clients), workers, *figures])
    heads = ["", "clients", "workers", "requests/s", "p50 ms", "p99 ms", "CPU ms"]
    print(f"### Clients\n\n{table(heads, rows)}", flush=True)


def _median(on: Server, data: Stores, documents: list[str], rounds: int, seconds: int, clients: int) -> Sample:
    load(on, documents, clients, seconds=1)
    return middle([measure(on, data, documents, clients=clients, seconds=seconds) for _ in range(rounds)])


def _cost(sample: Sample) -> float:
    return sample.server + sample.stores
