"""IAM: evaluate policies, and know what each API call needs."""
