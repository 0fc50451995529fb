"""The files API: FastAPI over S3, on Lambda or under any ASGI server."""
