"""Transports of operations and streams: HTTP, WebSocket and pages."""
