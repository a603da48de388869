"""Routes of the API, area operations."""
