"""What an environment file promises, computed before a release: power, forecast, quotas."""
