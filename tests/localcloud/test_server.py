from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from localcloud.core.delays import NO_DELAYS
from localcloud.core.http import PortInUseError
from localcloud.core.ledger import StateInUseError
from localcloud.server import CLOCK_RECORD_AHEAD_SECONDS, LocalCloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SERVICES = ("logs", "sts")


def _run(state: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "localcloud", "--state", str(state), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_state_folder_has_one_cloud(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    first = start_cloud(services=_SERVICES)
    with pytest.raises(
        StateInUseError, match="is in use by another local cloud: stop that one first"
    ):
        LocalCloud(tmp_path / "state", services=_SERVICES, delays=NO_DELAYS)
    second = _run(tmp_path / "state", "--port", "0", "--gateway-port", "0")
    assert "is in use by another local cloud" in second.communicate(timeout=60)[1]
    assert second.returncode == 1
    first.stop()
    start_cloud(services=_SERVICES)


def test_a_port_in_use_leaves_the_state_folder_free(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    taken = int(start_cloud(services=_SERVICES).cloud.endpoint.rsplit(":", 1)[1])
    for port, gateway_port in ((taken, 0), (0, taken)):
        with pytest.raises(PortInUseError, match=f"port {taken} is in use"):
            LocalCloud(
                tmp_path / "other",
                services=_SERVICES,
                port=port,
                gateway_port=gateway_port,
                delays=NO_DELAYS,
            )
    start_cloud(services=_SERVICES, state=tmp_path / "other")


def test_a_running_clouds_address_is_in_its_state_folder(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    server = start_cloud(services=_SERVICES, speed=60)
    told = json.loads((tmp_path / "state/endpoint.json").read_text())
    assert (told["endpoint"], told["speed"]) == (server.cloud.endpoint, 60)
    server.stop()
    assert not (tmp_path / "state/endpoint.json").exists()


def test_cloud_time_does_not_go_back_after_a_restart(
    start_cloud: Callable[..., LocalCloud],
) -> None:
    server = start_cloud(services=_SERVICES, speed=5000)
    server.cloud.clock.wait(100, threading.Event())
    last = server.cloud.clock.timestamp()
    server.stop()
    server = start_cloud(services=_SERVICES, speed=1)
    assert server.cloud.clock.timestamp() >= last


def test_cloud_time_does_not_go_back_after_a_kill(tmp_path: Path) -> None:
    """A running process records a time later than its next timestamps."""
    server = LocalCloud(tmp_path, services=_SERVICES, speed=5000, delays=NO_DELAYS)
    before = server.cloud.clock.timestamp()
    server.start()
    recorded = server.cloud.ledger.get("clock", "last")
    server.stop()
    assert recorded
    assert (
        server.cloud.clock.wall_seconds(recorded["timestamp"] - before)
        >= CLOCK_RECORD_AHEAD_SECONDS
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_clean_ledger(tmp_path: Path, number: signal.Signals) -> None:
    process = _run(tmp_path, "--port", "0", "--gateway-port", "0")
    assert process.stdout
    endpoint = process.stdout.readline().split()[-1]
    published = json.loads((tmp_path / "endpoint.json").read_text())
    s3 = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=endpoint, aws_access_key_id="1" * 12,
        aws_secret_access_key=published["secret_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    s3.create_bucket(Bucket="bucket")
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (0, "", "")
    assert not (tmp_path / "endpoint.json").exists()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_usage(tmp_path: Path) -> None:
    process = _run(tmp_path, "--speed", "0")
    assert "--speed is 0.0; it must be above 0" in process.communicate(timeout=60)[1]
    assert process.returncode == 2


def test_a_start_loads_existing_state_before_it_serves(start_cloud: Callable[..., Any]) -> None:
    """A cloud on an existing state folder answers the first request from that state."""
    server = start_cloud(services=_SERVICES)
    server.cloud.client("ssm", "1" * 12, "eu-west-1").put_parameter(
        Name="p", Value="v", Type="String"
    )
    server.stop()
    ssm = start_cloud(services=_SERVICES).cloud.client("ssm", "1" * 12, "eu-west-1")
    assert ssm.get_parameter(Name="p")["Parameter"]["Value"] == "v"


def test_an_unknown_service_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="services: found lambda; there are logs, cloudwatch"):
        LocalCloud(tmp_path / "state", services=("logs", "lambda"), delays=NO_DELAYS)
