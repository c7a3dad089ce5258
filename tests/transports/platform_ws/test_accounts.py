"""Changes between two lists of rows."""

from __future__ import annotations

from fullon_graphql.transports.platform_ws.accounts import Changes


def test_only_changed_and_removed_rows_are_reported() -> None:
    changes = Changes("name", {"total": 0})
    one, two = {"name": "one", "total": 1}, {"name": "two", "total": 2}
    assert changes.update([one, two]) == [one, two]
    assert changes.update([two, one]) == []
    assert changes.update([{"name": "two", "total": 3}]) == [{"name": "one", "total": 0}, {"name": "two", "total": 3}]
    assert changes.update([]) == [{"name": "two", "total": 0}]
    assert changes.update([]) == []
