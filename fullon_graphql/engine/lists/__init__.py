"""Lists of rows: opaque ids, ordering, filters and pages."""
