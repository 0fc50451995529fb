"""One rehearsal for all tests here, whose local cloud keeps running afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Pithead = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set a long timeout, because whole acts take minutes."""
    for item in items:
        if item.get_closest_marker("rehearsal"):
            item.add_marker(pytest.mark.timeout(2700))


@pytest.fixture(scope="session")
def pithead() -> Pithead:
    """Return the command as called in a checkout, optionally with a user's variables."""

    def call(
        *arguments: str, folder: Path = ROOT, variables: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        clean = {name: each for name, each in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.run(
            [sys.executable, "-m", "console.cli", *arguments],
            cwd=folder,
            env=clean | (variables or {}),
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def rehearsed(
    pithead: Pithead, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """The report of a rehearsal whose local cloud still runs."""
    report = tmp_path_factory.mktemp("rehearsal") / "report.json"
    done = pithead("rehearse", "--report", str(report), "--keep")
    try:
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        yield document | {"said": done.stdout + done.stderr}
    finally:
        pithead("down", "--force")


@pytest.fixture
def variables(rehearsed: dict[str, Any], pithead: Pithead) -> dict[str, str]:
    """The variables that `pithead env` exports."""
    return {
        name: value.strip("'")
        for name, _, value in (
            line.removeprefix("export ").partition("=")
            for line in pithead("env").stdout.splitlines()
            if line.startswith("export ")
        )
    }


@pytest.fixture
def client(variables: dict[str, str]) -> Callable[..., Any]:
    """Return a factory of AWS clients, of the pipeline's account by default."""
    make: Any = boto3.client

    def made(service: str, account: str | None = None) -> Any:
        return make(
            service,
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=account or variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    return made
