"""The desired state of dev, staging and prod: one file each, one schema."""
