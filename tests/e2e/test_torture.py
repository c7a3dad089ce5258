"""The short form of `make torture`: one round of every fault under open streams."""

from __future__ import annotations

from tests.torture.torture import ONE_SERVER, torture


async def test_no_event_is_lost_or_doubled_and_every_state_is_the_newest() -> None:
    outcome = await torture(ONE_SERVER, 34, seed=1, rounds=range(1))
    assert outcome.good, str(outcome)
    assert outcome.events > 0, str(outcome)
