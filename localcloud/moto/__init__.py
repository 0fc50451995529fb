"""What makes moto remember, deterministic, and as strict as AWS."""
