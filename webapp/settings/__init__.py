"""Every setting once: its name, type, default and meaning, from the environment and from the settings page."""
