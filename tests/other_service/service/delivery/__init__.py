"""What the delivery of the squares API needs: its name. All else is the platform's default."""
