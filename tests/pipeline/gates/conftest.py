from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from pipeline.gates import gate
from pipeline.gates.supply_chain import program
from pipeline.gates.testing import suite
from tests.pipeline.gates import advisories as advisory_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write the gates' reports to a temporary folder, not into the checkout."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for module in (gate, program, suite):
        monkeypatch.setattr(module, "REPORTS", folder)
    # The checkout's waivers do not apply in tests.
    monkeypatch.setattr(gate, "WAIVERS", tmp_path / "waivers.toml")
    return folder


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """An endpoint of moto."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make AWS reachable."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    return moto


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make AWS unreachable: nothing listens on TCP port 1."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return advisory_service.certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def advisories(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[advisory_service.Advisories]:
    """A fake that pip-audit reaches with its default settings."""
    with advisory_service.served(certificate) as (kept, variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for variable in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(variable, raising=False)
        yield kept
