"""A release as the console sees it: started, followed, concluded, rolled back, retried."""
