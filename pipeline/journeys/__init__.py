"""Synthetic journeys through the public API, run on a schedule in Lambda."""
