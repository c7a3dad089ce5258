"""How an operation runs: what types declare (columns, relations, keys) and the executions that read it."""
