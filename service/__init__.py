"""The service that Pithead delivers: its app and its delivery.

Replace this folder and `tests/service` to deliver another service (docs/your-service.md).
"""
