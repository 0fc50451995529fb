"""What the canary judge is worth: simulated releases, judged by it and by other systems' rules."""
