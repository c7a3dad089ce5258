"""The REST API: thin routers over the service functions, and the one place that renders its errors."""
