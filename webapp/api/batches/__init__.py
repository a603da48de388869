"""Routes of the API, area batches."""
