"""The service's name: stacks, functions, alarms and metrics are named by it."""

NAME = "squares"
