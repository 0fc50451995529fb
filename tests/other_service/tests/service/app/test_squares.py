"""The squares API in this process."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from fastapi.testclient import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(import_module("service.app.main").app) as client:
        yield client


def test_it_is_alive(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "alive"}


def test_it_squares_a_number(client: TestClient) -> None:
    assert client.get("/squares", params={"number": -12}).json() == {"number": -12, "square": 144}


def test_it_counts_each_request(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    client.get("/squares", params={"number": "many"})
    assert '"ClientErrors": 1' in capsys.readouterr().out
