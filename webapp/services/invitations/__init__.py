"""Invitations and their reminders."""
