"""Pages of groups, roles and remembered words."""
