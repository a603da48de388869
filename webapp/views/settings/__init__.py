"""Account Settings."""
