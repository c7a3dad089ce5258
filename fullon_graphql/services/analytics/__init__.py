"""Figures computed from trades, orders and live prices."""
