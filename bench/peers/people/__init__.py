"""Invited people, as an app of Django."""
