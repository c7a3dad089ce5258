"""Errors of the engines, in one line for the terminal."""

from __future__ import annotations


class EngineError(Exception):
    """PostgreSQL or Redis cannot be started; the message has the reason and what to do, so no traceback is shown."""
