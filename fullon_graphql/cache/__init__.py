"""Redis: the client, every key, and the readers and writers of live state."""
