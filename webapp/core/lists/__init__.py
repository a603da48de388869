"""Filters, order and pages of lists, as the page's address carries them."""
