"""The load profile: mostly reads of small files, some writes, few listings."""

from __future__ import annotations

import uuid

from locust import task

from pipeline.gates.load.user import OpenModelUser


class Customer(OpenModelUser):
    """Writes its own file, reads it repeatedly, and deletes it at the end."""

    def on_start(self) -> None:
        self.path = f"/files/load/{uuid.uuid4()}.bin"
        self._put(b"x" * 2048)

    def on_stop(self) -> None:
        self.client.delete(self.path, name="delete")

    def _put(self, content: bytes) -> None:
        self.client.put(self.path, data=content, name="write")  # type: ignore[arg-type]  # Locust documents bytes as well

    @task(7)
    def read(self) -> None:
        self.client.get(self.path, name="read")

    @task(2)
    def write(self) -> None:
        self._put(b"y" * 2048)

    @task(1)
    def browse(self) -> None:
        self.client.get("/files?prefix=load/&limit=20", name="list")
