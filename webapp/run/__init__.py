"""What runs beside the web app: child processes, the embedded Valkey, the data folder."""
