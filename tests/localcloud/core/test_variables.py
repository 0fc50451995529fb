from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from localcloud.core.variables import scrubbed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from localcloud.server import LocalCloud


def test_the_process_has_only_the_allowed_variables_of_the_user(tmp_path: Path) -> None:
    """Including `/proc/PID/environ`, which changes of `os.environ` do not affect."""
    mine = {
        "AWS_PROFILE": "nobody-has-this-profile",
        "AWS_SECRET_ACCESS_KEY": "of-the-user",
        "GITHUB_TOKEN": "of-the-user",
        "MOTO_DISABLE_GLOBAL_CORS": "false",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "localcloud", "--state", str(tmp_path / "state")),
            *("--port", "0", "--gateway-port", "0"),
        ],
        env=os.environ | mine,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().split()[-1]
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
        published = json.loads((tmp_path / "state" / "endpoint.json").read_text())
        s3 = boto3.Session(
            aws_access_key_id="1" * 12, aws_secret_access_key=published["secret_key"]
        ).client("s3", region_name="us-east-1", endpoint_url=endpoint)
        s3.create_bucket(Bucket="bucket")
        process.terminate()
    assert "of-the-user" not in environment
    assert "nobody-has-this-profile" not in environment
    assert "HTTPS_PROXY=http://127.0.0.1:1" in environment.split("\0")
    assert published["secret_key"] not in environment


def test_the_allowed_variables_survive_a_second_start() -> None:
    once = scrubbed({"PATH": "/bin", "AWS_PROFILE": "x", "SECRET": "x", "PIP_INDEX_URL": "y"})
    assert set(once) == {
        "PATH", "PIP_INDEX_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
    }  # fmt: skip
    assert scrubbed(once) == once


def test_internal_clients_ignore_the_users_profile(
    start_cloud: Callable[..., LocalCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this-profile")
    cloud = start_cloud(services=("logs", "sts")).cloud
    assert cloud.client("sts", "1" * 12, "eu-west-1").get_caller_identity()["Account"] == "1" * 12


def test_the_state_folder_is_private(
    start_cloud: Callable[..., LocalCloud], tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    start_cloud(services=("logs", "sts"))
    modes = {
        name: stat.S_IMODE((state / name).stat().st_mode)
        for name in (".", "ledger.sqlite", "ledger.sqlite-wal", "endpoint.json")
    }
    assert modes == {
        ".": 0o700, "ledger.sqlite": 0o600, "ledger.sqlite-wal": 0o600, "endpoint.json": 0o600,
    }  # fmt: skip
