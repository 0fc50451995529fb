"""The squares API, which tests that a service can be replaced."""
