"""The load profile of a service that has none of its own: users who ask for `/`."""

from __future__ import annotations

from locust import task

from pipeline.gates.load.user import OpenModelUser


class Customer(OpenModelUser):
    """Asks for the root of the API."""

    @task
    def root(self) -> None:
        self.client.get("/", name="root")
