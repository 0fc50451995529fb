"""A local cloud that does not enforce IAM proves nothing about permissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.local import local_cloud
from console.local.iam_mode import unproved_permissions
from console.local.local_cloud import LocalCloud

URL = "http://127.0.0.1:4566"


def _cloud(mode: str) -> LocalCloud:
    return LocalCloud(URL, "http://127.0.0.1:4567", 1, 60.0, "s", mode)


@pytest.mark.parametrize(
    ("cloud", "endpoint", "words"),
    [
        (_cloud("soft"), None, "with --iam soft"),
        (_cloud("soft"), URL, "with --iam soft"),
        (_cloud("enforce"), None, ""),
        (_cloud("soft"), "http://127.0.0.1:9999", ""),
        (None, None, ""),
    ],
)
def test_a_cloud_that_does_not_enforce_iam_proves_nothing(
    cloud: LocalCloud | None, endpoint: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_cloud, "find", lambda *_states: cloud)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    sentence = unproved_permissions([Path("state")])
    assert words in sentence
    assert bool(sentence) == bool(words)
    assert not sentence or sentence.startswith("Nothing was proved about permissions")
