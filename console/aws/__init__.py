"""What the console reads from the AWS API: accounts, stacks, connections, health, quotas."""
