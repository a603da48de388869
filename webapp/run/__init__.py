"""Child processes of the supervisor, the embedded Valkey, the data folder."""
