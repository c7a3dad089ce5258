"""`/api/v1/ohlcv`: candles, public trades and which of them are stored."""
