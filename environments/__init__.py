"""The desired state of dev, staging and prod: a file each, one schema."""
