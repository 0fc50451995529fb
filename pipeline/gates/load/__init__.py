"""The load gate: Locust against staging, held against limits and the last promoted release."""
