"""Home, health checks and metrics, the first start."""
