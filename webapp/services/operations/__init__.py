"""Running an installation: health, doctor, backups, retention, the first start."""
