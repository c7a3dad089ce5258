"""The REST face: thin routers over the service functions, and the one place that renders errors for it."""
