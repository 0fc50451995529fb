"""Predictions from an environment file before a release: power, forecast, quotas."""
