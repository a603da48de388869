"""Routes of the API, area invitations."""
