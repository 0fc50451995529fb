"""CloudWatch Logs: groups, streams and events in the ledger."""
