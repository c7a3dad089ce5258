"""What can go wrong with the engines, said in one line for the terminal."""

from __future__ import annotations


class EngineError(Exception):
    """PostgreSQL or Redis cannot be had; the message says why and what to do. It never needs a traceback."""
