"""Roles, groups, other names for them, and the list of people."""
