"""CloudFormation: change sets, updates in dependency order, events, rollback."""
