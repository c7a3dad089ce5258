"""The page for operators describes every metric, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from fullon_graphql.observability.metrics import Metrics

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_every_metric_is_described() -> None:
    metrics = Metrics()
    exported = set(re.findall(r"^# TYPE (\w+) ", metrics.text().decode(), re.MULTILINE))
    section = PAGE.read_text().partition("## Metrics")[2].partition("## ")[0]
    exported.remove("fullon_graphql_timeouts_created")  # a time that the library adds
    assert set(re.findall(r"`(fullon_graphql_\w+)", section)) == exported
