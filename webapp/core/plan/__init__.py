"""Rows and who exists in, a planned change per row out."""
