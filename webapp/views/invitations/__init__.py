"""Single Invite, and the page behind an invitation's link."""
