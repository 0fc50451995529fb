"""STS: who calls, and roles to assume."""
