"""CodeDeploy for Lambda: traffic shifts of an alias, guarded by alarms and hooks."""
