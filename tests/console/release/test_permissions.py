"""A local cloud that does not enforce IAM proves nothing about permissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.local import local_cloud
from console.local.local_cloud import Running
from console.release.permissions import unproved

URL = "http://127.0.0.1:4566"


def _running(mode: str) -> Running:
    return Running(URL, "http://127.0.0.1:4567", 1, 60.0, "s", mode)


@pytest.mark.parametrize(
    ("running", "endpoint", "words"),
    [
        (_running("soft"), None, "with --iam soft"),
        (_running("soft"), URL, "with --iam soft"),
        (_running("enforce"), None, ""),
        (_running("soft"), "http://127.0.0.1:9999", ""),
        (None, None, ""),
    ],
)
def test_what_is_unproved(
    running: Running | None, endpoint: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_cloud, "find", lambda *_states: running)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    said = unproved([Path("state")])
    assert words in said
    assert bool(said) == bool(words)
    assert not said or said.startswith("Nothing was proved about permissions")
