"""Settings and hooks of the dynamic gate for the files API."""
