"""What runs on this machine: the local cloud's process, the CDK CLI, local gates."""
