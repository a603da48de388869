"""The audit log: events recorded, browsed, chained."""
