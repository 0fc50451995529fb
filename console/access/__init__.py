"""Permissions of the platform's roles: granted, used and unused."""
