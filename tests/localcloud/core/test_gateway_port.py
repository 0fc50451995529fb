from __future__ import annotations

import random
import socket
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core import gateway_port
from localcloud.core.gateway_port import GatewayPortError, gateway
from localcloud.core.http import PortInUseError
from localcloud.core.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "state")) as opened:
        yield opened


@contextmanager
def served(ledger: Ledger, asked: int | None) -> Iterator[int]:
    """Return the port of a start on the ledger's cloud."""
    server = gateway(ledger, asked, _nothing, lambda: 0.0)
    try:
        yield server.port
    finally:
        server.stop()


def _nothing(_environ: dict[str, Any], _start_response: Any) -> list[bytes]:
    return []


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def test_later_starts_keep_the_port_of_the_first(ledger: Ledger) -> None:
    with served(ledger, 0) as first:
        # No client socket gets it before the next start.
        assert 1024 < first < 32_768
    for asked in (0, None, first):
        with served(ledger, asked) as port:
            assert port == first


def test_the_first_start_uses_the_requested_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, default = _free(), _free()
    monkeypatch.setattr(gateway_port, "DEFAULT", default)
    for number, (given, expected) in enumerate(((asked, asked), (None, default))):
        with closing(Ledger(tmp_path / str(number))) as ledger, served(ledger, given) as port:
            assert port == expected


def test_another_port_is_an_error_with_a_next_step(ledger: Ledger) -> None:
    with served(ledger, 0) as first:
        pass
    other = _free()
    with pytest.raises(GatewayPortError) as refused, served(ledger, other):
        pass
    assert str(refused.value) == (
        f"port {other} cannot serve the APIs of {ledger.folder}: found port {first} in what is "
        "deployed there; leave the gateway port out, or remove the folder to begin anew"
    )
    with served(ledger, None) as port:
        assert port == first


def test_a_stored_port_in_use_is_an_error(ledger: Ledger) -> None:
    with served(ledger, 0) as first:
        pass
    with (
        socket.create_server(("127.0.0.1", first)),
        pytest.raises(PortInUseError, match=f"port {first} is in use, .*: stop what listens there"),
        served(ledger, 0),
    ):
        pass


def test_a_failed_first_start_stores_no_port(ledger: Ledger) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match="or choose another port"), served(ledger, port):
            pass
    with served(ledger, 0) as chosen:
        assert chosen != port


def test_the_port_search_skips_ports_in_use(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        monkeypatch.setattr(random, "sample", lambda *_: [port])
        with served(ledger, 0) as chosen:
            assert chosen != port
