"""`python -m benchmarks queries`: the same questions to all servers on the same stores, in interleaved rounds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from benchmarks import equivalence
from benchmarks.load import load
from benchmarks.loop_holds import Holds, holds
from benchmarks.machine import description, quiet
from benchmarks.measuring import Sample, measure, middle
from benchmarks.peers import OURS, PEERS_BY_NAME, Peer
from benchmarks.questions import QUESTIONS, REPLY, Question
from benchmarks.report import number, table
from benchmarks.servers import Server, server
from benchmarks.stores import Stores, stores

Results = Mapping[str, Sample]
"""Per peer."""


def queries(peers: Sequence[str], questions: Sequence[str], *, rounds: int, seconds: int, clients: int) -> None:
    """Compare, measure and print, question by question."""
    chosen = [PEERS_BY_NAME[name] for name in peers]
    with stores() as data, ExitStack() as stack:
        servers = {
            peer.name: stack.enter_context(server(peer.name, peer.command(), dict(peer.environment), data))
            for peer in chosen
        }
        measured = [*([REPLY] if "rows" in peers else []), *(QUESTIONS[name] for name in questions)]
        for question in measured:
            _compare(question, chosen, servers)
        print(f"\n{description()}; {clients} clients, medians of {rounds} rounds of {seconds} s; {quiet()}.\n")
        for question in measured:
            found, held = _rounds(question, chosen, servers, data, rounds, seconds, clients)
            print(f"### {question.title}\n\n{_table(found)}")
            if OURS.name in found:
                print(f"{held}\n")
            print(*_budgets(question, found), sep="\n", flush=True)
        print(f"### Memory\n\n{_memory(servers)}")


def _compare(question: Question, peers: Sequence[Peer], servers: Mapping[str, Server]) -> None:
    """Send each document to all servers and compare the answers with the first one.

    Raises:
        SystemExit: two answers differ.
    """
    answers = {
        peer.name: [servers[peer.name].ask(document) for document in documents]
        for peer in peers
        if (documents := peer.documents(question))
    }
    if not answers:
        return
    first = next(iter(answers))
    for name, answer in answers.items():
        if not equivalence.same(answers[first], answer):
            shown = f"{str(answer)[:600]}\n{str(answers[first])[:600]}"
            raise SystemExit(f"{question.title}: {name} and {first} answer differently.\n{shown}")
    print(f"{question.title}: {len(answers)} agree on {equivalence.rows(answers[first])} objects.")


def _rounds(
    question: Question,
    peers: Sequence[Peer],
    servers: Mapping[str, Server],
    data: Stores,
    rounds: int,
    seconds: int,
    clients: int,
) -> tuple[Results, Holds]:
    """The medians of all servers, and how long this server held its event loop.

    A peer that answers no client in a round is reported and left out.

    Raises:
        RuntimeError: this server answers none.
    """
    measured = {peer.name: documents for peer in peers if (documents := peer.documents(question))}
    for name, documents in measured.items():
        load(servers[name], documents, clients, seconds=1)  # caches, compilers and pools get warm
    samples = defaultdict(list)
    held = Holds()
    for _ in range(rounds):
        for name, documents in list(measured.items()):
            before = holds(servers[name]) if name == OURS.name else None
            try:
                samples[name].append(measure(servers[name], data, documents, clients=clients, seconds=seconds))
            except RuntimeError as error:
                if name == OURS.name:
                    raise
                print(f"{error} It is left out.\n", flush=True)
                del measured[name]
                continue
            if before is not None:
                held += holds(servers[name]) - before
    return {name: middle(samples[name]) for name in measured}, held


def _table(found: Results) -> str:
    ours = found.get(OURS.name)
    heads = [
        "",
        "requests/s",
        "fullon_graphql is faster by",
        "p50 ms",
        "p99 ms",
        "server CPU ms",
        "stores CPU ms",
        "CPU ms in all",
    ]
    rows = [
        [
            PEERS_BY_NAME[name].title,
            number(each.rate),
            number(ours.rate / each.rate) if ours and name != OURS.name else "",
            *map(number, (each.p50, each.p99, each.server, each.stores, each.server + each.stores)),
        ]
        for name, each in found.items()
    ]
    return table(heads, rows)


def _budgets(question: Question, found: Results) -> Iterator[str]:
    for name, factor in question.budget:
        if OURS.name in found and name in found:
            reached = found[OURS.name].rate / found[name].rate
            word = "kept" if reached >= factor else "MISSED"
            yield f"Budget {word}: {reached:.1f} times {PEERS_BY_NAME[name].title}, required {factor:g} times.\n"


def _memory(servers: Mapping[str, Server]) -> str:
    rows = [[PEERS_BY_NAME[name].title, number(each.peak_memory)] for name, each in servers.items()]
    return table(["", "peak RSS MB"], rows)
