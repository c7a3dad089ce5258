"""Market feeds: where the daemons read prices and accounts."""
