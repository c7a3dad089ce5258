"""Tolerant readers: no input makes them fail, and values that are left out are logged and counted."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from fullon_graphql.cache import reading
from fullon_graphql.cache.reading import UnreadableError, as_data, leave_out, parse_json, parse_number, parse_time
from fullon_graphql.observability.metrics import Metrics

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("\udcff"), inner),
)


@given(st.binary() | anything.map(lambda value: str(value).encode(errors="surrogatepass")))
def test_text_is_parsed_or_unreadable(value: bytes) -> None:
    try:
        found = parse_json(value.decode(errors="surrogateescape"))
    except UnreadableError:
        return
    orjson.dumps(as_data(found))


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 10_000, '{"a":' * 2_000 + "1" + "}" * 2_000, "\ufeff{}"])
def test_extreme_json_is_parsed_or_unreadable(text: str) -> None:
    try:
        found = parse_json(text)
    except UnreadableError:
        return
    orjson.dumps(as_data(found))


@given(anything)
def test_data_can_always_be_written_as_json(value: object) -> None:
    orjson.dumps(as_data(value))


@given(anything)
def test_numbers_are_finite_and_times_are_utc(value: object) -> None:
    number, time = parse_number(value), parse_time(value)
    assert number is None or abs(number) < float("inf")
    assert time is None or time.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [1795991963000, 1795991963000000, -1, 0, 253402300800, 1e308, float("nan"), float("inf"), 10**400, True, "now", []],
)
def test_value_that_is_no_time_is_unknown(value: object) -> None:
    assert parse_time(value) is None


def test_times_are_read_with_and_without_an_offset() -> None:
    noon = datetime(2024, 6, 10, 12, tzinfo=UTC)
    for value in ("2024-06-10T12:00:00", "2024-06-10T12:00:00Z", "2024-06-10T14:00:00+02:00", noon.timestamp()):
        assert parse_time(value) == noon


def test_left_out_values_are_counted_and_logged_once_per_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_last_logged", {})
    with capture_logs() as logs:
        for number in range(3):
            leave_out("specimen", "broken", symbol=f"\udcff{number}" + "x" * 1000)
        leave_out("another specimen", "broken")
    assert [(line["kind"], len(line.get("symbol", ""))) for line in logs] == [("specimen", 80), ("another specimen", 0)]
    assert b'fullon_graphql_values_left_out_total{kind="specimen"} 3.0' in Metrics().text()
