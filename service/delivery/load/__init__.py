"""The load that the load gate sends to the files API."""
