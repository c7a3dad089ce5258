"""The change feed: its table, its reader and its retention."""
