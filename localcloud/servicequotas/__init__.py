"""Service Quotas: the quotas that this cloud enforces, to be read."""
