"""The candle store: what it is called in the database, how it is written, imported, resampled and read."""
