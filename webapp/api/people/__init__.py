"""Routes of the API, area people."""
