"""A selection of candles by time, number and knowledge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from fullon_graphql.errors import BadUserInput

MAX_BARS: Final = 50_000
"""Maximum number of bars of one answer."""

Kind = tuple[bool, bool]
"""Whether gaps are filled, and whether the newest bars are selected."""


@dataclass(frozen=True, slots=True)
class Window:
    """A selection of bars: those that start in [start, end), of these the newest `last`, with gaps filled or not.

    With `as_of`, the bars as they were known at that time: of trades until then and of candles that had ended, before
    later corrections.

    Times without a zone are UTC.

    Raises:
        BadUserInput: start is not before end, or `last` is not in 1 … MAX_BARS.
    """

    start: datetime | None = None
    end: datetime | None = None
    last: int | None = None
    fill: bool = False
    first: int | None = None
    """Only the oldest so many bars; for internal use."""
    as_of: datetime | None = None

    def __post_init__(self) -> None:
        start, end = aware(self.start), aware(self.end)
        if start and end and start >= end:
            raise BadUserInput(f"from must be before to; got {start:%FT%TZ} and {end:%FT%TZ}.", field="from")
        if self.last is not None and not 1 <= self.last <= MAX_BARS:
            raise BadUserInput(f"last must be between 1 and {MAX_BARS}; got {self.last}.", field="last")

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the statements of resampling.py. One bar more than allowed is read to detect an excess."""
        count = self.last or self.first or MAX_BARS + 1
        bounds = {"start": aware(self.start), "end": aware(self.end), "now": self.present}
        return {**bounds, "as_of": aware(self.as_of), "count": count}

    @property
    def present(self) -> datetime:
        """The time after which there are no bars."""
        now = datetime.now(UTC)
        return min(now, aware(self.as_of) or now)

    @property
    def kind(self) -> Kind:
        """The part of the window on which the statement's text depends."""
        return self.fill, self.last is not None


def aware(time: datetime | None) -> datetime | None:
    """The time with a zone: UTC if it has none."""
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time


def too_many_bars() -> BadUserInput:
    return BadUserInput(f"More than {MAX_BARS} bars. Request a shorter range, a longer timeframe, or `last`.")
