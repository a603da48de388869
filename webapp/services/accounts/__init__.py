"""Signing in, one's own account, and the ways back in."""
