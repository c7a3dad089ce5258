"""How rows are changed: one unit of work, audited, idempotent, with a dry run."""
