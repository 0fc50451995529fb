"""What the dynamic gate may do to the files API."""
