"""The service that Pithead delivers: its app, and what belongs to its delivery.

Replace this folder and `tests/service` to deliver another service (docs/your-service.md).
"""
