"""Benchmarks of the canary judge against the rules of other systems, on simulated releases."""
