"""Streams of events: sources, the executions they share, and the subscribers that receive them."""
