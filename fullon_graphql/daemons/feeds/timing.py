"""Intervals and limits of the exchange feed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedTiming:
    """All in seconds, except for `stale_gaps`."""

    pace: float = 0.05
    """Between two deliveries of a stream. Of several tickers of a symbol in between the newest is delivered."""
    check: float = 0.25
    """Between two checks of a stream without a message."""
    poll: float = 2.0
    """Between two requests for data that the exchange does not stream."""
    first_backoff: float = 1.0
    longest_backoff: float = 60.0
    """Connections to an exchange are made after a random part of the backoff, which doubles up to the longest."""
    healthy: float = 30.0
    """Connections that lived for longer than this start at the first backoff again."""
    stale_gaps: float = 20.0
    """After this many of its usual gaps without data, a stream is compared with the answer to a request."""
    stale_first: float = 30.0
    stale_min: float = 10.0
    stale_max: float = 900.0
    """The time before the usual gap is known, and its bounds. It doubles while the market turns out to be quiet."""
    delivery: float = 2.0
    """The longest time from a trade or a change of a price until the stream delivers it."""
    subscribe: float = 5.0
    """The longest time that an exchange takes from the first message to an active subscription."""
    retry_symbol: float = 300.0
    """Until a symbol that the exchange refused is tried again."""
    request: float = 60.0
    """For a request of history with all its repetitions."""


@dataclass(frozen=True, slots=True)
class AccountTiming:
    """Intervals and limits of accounts, in seconds."""

    fast: float = 5.0
    """Between two readings of an account with open orders that has no stream."""
    slow: float = 60.0
    """Between two readings of other accounts."""
    settle: float = 0.1
    """From a message of a stream to the reading that it causes; further messages join it."""
    gap: float = 1.0
    """The shortest time between two readings of the same part of an account."""
    delivery: float = 5.0
    """The longest time from a change that a reading found until the stream announces it."""
    request: float = 60.0
    """For a request with all its repetitions."""
    first_backoff: float = 1.0
    longest_backoff: float = 60.0
    """Connections are made again after a random part of the backoff, which doubles up to the longest."""
    refused: float = 300.0
    """The same after the exchange has refused the keys or the stream."""
    healthy: float = 30.0
    """Connections that lived for longer than this start at the first backoff again."""
    forgotten: float = 3600.0
    """Until an order that the exchange does not know is requested again."""
