"""The load gate: measure staging with Locust, and compare it with limits and the last release."""
