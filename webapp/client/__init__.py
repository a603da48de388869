"""Programs' side of the API: the commands `muster invite`, `batch`, `people` and so on. It runs without the server's packages."""
