"""The one-time links in e-mails."""
