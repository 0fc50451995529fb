"""EventBridge: rules of the default event bus, and Scheduler."""
