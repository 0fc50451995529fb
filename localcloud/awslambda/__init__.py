"""Lambda: versions, weighted aliases, and invocations over the Runtime API."""
