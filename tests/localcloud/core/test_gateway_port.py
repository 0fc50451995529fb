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
    """The port of a start of the ledger's cloud."""
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
        # No client of anything is given it before the next start.
        assert 1024 < first < 32_768
    for asked in (0, None, first):
        with served(ledger, asked) as port:
            assert port == first


def test_the_first_start_takes_the_port_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, default = _free(), _free()
    monkeypatch.setattr(gateway_port, "DEFAULT", default)
    for number, (given, expected) in enumerate(((asked, asked), (None, default))):
        with closing(Ledger(tmp_path / str(number))) as ledger, served(ledger, given) as port:
            assert port == expected


def test_another_port_is_refused_with_what_to_do(ledger: Ledger) -> None:
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


def test_a_kept_port_that_is_taken_is_not_replaced(ledger: Ledger) -> None:
    with served(ledger, 0) as first:
        pass
    with (
        socket.create_server(("127.0.0.1", first)),
        pytest.raises(PortInUseError, match=f"port {first} is in use, .*: stop what listens there"),
        served(ledger, 0),
    ):
        pass


def test_a_first_start_that_fails_keeps_nothing(ledger: Ledger) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match="or choose another port"), served(ledger, port):
            pass
    with served(ledger, 0) as chosen:
        assert chosen != port


def test_any_free_one_passes_by_those_that_are_taken(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        monkeypatch.setattr(random, "sample", lambda *_: [port])
        with served(ledger, 0) as chosen:
            assert chosen != port
