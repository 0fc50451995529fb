"""CloudWatch: metrics, metric math, and alarms that really change their state."""
