"""What of a list is told again."""

from __future__ import annotations

from fullon_graphql.transports.platform_ws.accounts import Changes


def test_what_has_changed_or_left_is_told_and_nothing_else() -> None:
    changes = Changes("name", {"held": 0})
    one, two = {"name": "one", "held": 1}, {"name": "two", "held": 2}
    assert changes.of([one, two]) == [one, two]
    assert changes.of([two, one]) == []
    assert changes.of([{"name": "two", "held": 3}]) == [{"name": "one", "held": 0}, {"name": "two", "held": 3}]
    assert changes.of([]) == [{"name": "two", "held": 0}]
    assert changes.of([]) == []
