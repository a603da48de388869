"""Routes of the API, area audit."""
