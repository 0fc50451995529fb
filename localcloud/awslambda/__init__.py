"""Lambda: versions, weighted aliases, and real invocations over the Runtime API."""
