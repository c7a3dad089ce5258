"""Changes: one transaction each, audited, idempotent, with a dry run."""
