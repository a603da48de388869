"""Batches from upload to report: rows, plans, edits, undo, execution, reverts."""
