"""Routes of the API, area directory."""
