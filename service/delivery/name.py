"""The service's name: a prefix of stacks, functions, alarms and metrics."""

NAME = "files"
