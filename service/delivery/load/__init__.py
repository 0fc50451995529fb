"""The load profile of the files API."""
