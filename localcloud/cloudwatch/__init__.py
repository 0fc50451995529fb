"""CloudWatch: metrics, metric math, and alarms that are evaluated."""
