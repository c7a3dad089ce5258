"""The planner's way of saying: leave this one to the reference execution."""

from __future__ import annotations

from typing import Literal

Kind = Literal["caller", "input", "operation", "row", "value"]
"""What it is about: who asks, what they gave, what they ask for, a row that is not there, a value nobody can say."""


class Fallback(Exception):  # no error: an operation that is executed the other way
    """Something here is not planned, or met something at run time that the reference must report; says what.

    The reason names fields and types of the schema only, never what a client sent.
    """

    def __init__(self, reason: str, kind: Kind = "operation") -> None:
        super().__init__(reason)
        self.kind: Kind = kind
