"""The files API that Pithead delivers: FastAPI over S3, on Lambda or under any ASGI server."""
