"""What the platform's roles may do, what they did, and what they could lose."""
