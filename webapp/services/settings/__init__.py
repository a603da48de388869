"""Settings changed on pages."""
