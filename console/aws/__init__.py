"""Accounts, stacks, connections, health and quotas, read from the AWS API."""
