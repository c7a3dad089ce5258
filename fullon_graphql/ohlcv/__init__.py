"""The candle store: names in the database, writing, importing, resampling and reading."""
