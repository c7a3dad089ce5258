"""The roots of queries and mutations, one file per entity: they read arguments, call a service and wrap its result."""
