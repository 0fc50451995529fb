"""A release: its start, progress, outcome, next steps, rollback and retry."""
