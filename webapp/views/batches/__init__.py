"""Pages of batches: upload, review, confirm, progress, report."""
