"""From bytes to a table, its columns and its cells; and back to CSV."""
