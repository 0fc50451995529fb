"""What the console does on this machine: the local cloud's process, tools, local gates."""
