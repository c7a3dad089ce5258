"""`python -m benchmarks tracing`: the processor time of a small question without traces and with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from benchmarks.load import load
from benchmarks.machine import description, quiet
from benchmarks.measuring import Sample, measure, middle
from benchmarks.peers import OURS
from benchmarks.questions import QUESTIONS
from benchmarks.report import number, table
from benchmarks.servers import server
from benchmarks.stores import stores

BUDGET: Final = 0.1
"""The most that traces of all operations may add to the processor time of the question."""
PLAIN: Final = "nothing"
ALL: Final = "every operation"


def tracing(*, rounds: int, seconds: int, clients: int) -> None:
    """Measure in interleaved rounds, and print."""
    documents = QUESTIONS["me"].documents()
    with stores() as data, _receiver() as receiver, ExitStack() as stack:
        servers = {
            title: stack.enter_context(server(title, OURS.command(), environment, data))
            for title, environment in _environments(receiver).items()
        }
        for each in servers.values():
            load(each, documents, clients, seconds=2)
        samples: dict[str, list[Sample]] = defaultdict(list)
        for _ in range(rounds):
            for title, each in servers.items():
                samples[title].append(measure(each, data, documents, clients=clients, seconds=seconds))
    found = {title: middle(each) for title, each in samples.items()}
    plain = found[PLAIN].server
    rows = [
        [title, *map(number, (each.rate, each.p50, each.server)), f"{each.server / plain - 1:+.0%}"]
        for title, each in found.items()
    ]
    print(f"{description()}; {clients} clients, medians of {rounds} rounds of {seconds} s; {quiet()}.\n")
    print(table(["traced", "requests/s", "p50 ms", "server CPU ms", "more CPU"], rows))
    added = found[ALL].server / plain - 1
    print(f"Budget {'kept' if added <= BUDGET else 'MISSED'}: {added:+.0%}, at most {BUDGET:+.0%}.")
    print(f"The receiver has got {receiver.received / 1e6:.1f} MB.")


def _environments(receiver: _Receiver) -> dict[str, dict[str, str]]:
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server_port}"}
    tenth = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
    return {PLAIN: {}, "a tenth": traced | tenth, ALL: traced}


class _Receiver(ThreadingHTTPServer):
    """Accepts spans over HTTP, and counts their bytes."""

    received = 0


class _Requests(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.rfile.read(length)
        assert isinstance(self.server, _Receiver)
        self.server.received += length
        self.send_response(HTTPStatus.OK)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its name in the base class
        """Print nothing."""


@contextmanager
def _receiver() -> Iterator[_Receiver]:
    with _Receiver(("127.0.0.1", 0), _Requests) as receiver:
        thread = Thread(target=receiver.serve_forever, name="receiver")
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
