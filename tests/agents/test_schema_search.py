from __future__ import annotations

from fullon_graphql.agents.answers import shortened_text
from fullon_graphql.agents.schema_search import MOST_CHARACTERS, MOST_HITS, SchemaSearch


def test_search_finds_all_words_and_the_best_name_first(search: SchemaSearch) -> None:
    lines = search.search("Open Orders").splitlines()
    assert lines[0].startswith("BotDashboard.openOrders: Int!  # ")
    assert any(line.startswith("Balance.used") for line in lines)
    assert search.search("query.ticker").startswith("Query.ticker(exchange: String!, symbol: String!): Ticker  # ")
    assert search.search("servicename ohlcv").startswith("ServiceName.OHLCV")


def test_search_is_bounded_and_says_so(search: SchemaSearch) -> None:
    lines = search.search("order").splitlines()
    assert len(lines) == MOST_HITS + 1
    assert lines[-1].endswith(" more; add a word to narrow the search.]")
    assert search.search("frobnicate").startswith("Nothing in the schema has all words of ")
    assert search.search("  ").startswith("Nothing in the schema has all words of ")


def test_description_is_the_definition_at_the_coordinate(search: SchemaSearch) -> None:
    field = search.describe("Query.ticker") or ""
    assert field.startswith('type Query {\n  """')
    assert field.endswith("): Ticker\n}")
    assert (search.describe(" Query.ticker ( symbol: ) ") or "").endswith("\nsymbol: String!")
    assert (search.describe("ServiceName.TICKER") or "").startswith("enum ServiceName {\n")
    assert (search.describe("Timeframe") or "").startswith('"""')
    for unknown in ("Nonsense", "Query.nonsense", "Query.ticker(x:)", "", "_Any!"):
        assert search.describe(unknown) is None, unknown


def test_long_definition_is_cut_with_a_note(search: SchemaSearch) -> None:
    text = search.describe("Mutation") or ""
    assert text[:MOST_CHARACTERS].startswith('"""')
    assert text.endswith("characters; use search_schema, then describe one field.]")
    assert len(text) < MOST_CHARACTERS + 200
    assert shortened_text("abc", "wait", 3) == "abc"
    assert shortened_text("abcd", "wait", 3) == "abc\n\n[Cut: these are the first 3 of 4 characters; wait.]"
