"""CloudWatch Logs, durable."""
