"""EventBridge: rules of the default bus, and Scheduler."""
