"""The planner's way of saying: leave this one to the reference execution."""

from __future__ import annotations


class Unplanned(Exception):  # noqa: N818  # no error: an operation that is executed the other way
    """Something here is not planned, or met something at run time that the reference must report; says what."""
