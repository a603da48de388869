"""Tokens, one-time codes, permissions, and the hashes of the audit log."""
