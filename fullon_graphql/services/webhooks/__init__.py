"""Webhooks: their rules, signatures and requests, and the delivery of events."""
