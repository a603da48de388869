"""Formatting, sentences, redaction, and comparing words."""
