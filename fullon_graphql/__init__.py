"""The one door to the Fullon trading platform: one GraphQL graph over PostgreSQL, candles and live Redis state."""
