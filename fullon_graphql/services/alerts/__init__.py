"""Alerts: their rules, and the evaluation of them."""
