"""What the canary judge decided, read again: replayed, drawn, backtested, planned."""
