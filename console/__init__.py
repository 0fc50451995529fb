"""The `pithead` command: a client of AWS or of the local cloud, by the same API."""
