"""Service Quotas: a read-only view of the quotas that the local cloud enforces."""
