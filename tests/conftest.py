"""What all tests have in common."""

from __future__ import annotations

import boto3
import pytest
from hypothesis import HealthCheck, settings

# How long an example takes tells of the machine and what else runs on it.
settings.register_profile("pithead", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pithead")


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks AWS without a session of his own asks with this test's credentials.

    boto3 keeps those of the first that asked.
    """
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
