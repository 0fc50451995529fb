"""Settings for all tests."""

from __future__ import annotations

import boto3
import pytest
from hypothesis import HealthCheck, settings

# An example's duration depends on the machine and its load.
settings.register_profile("pithead", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pithead")


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give boto3's default session this test's credentials.

    boto3 would keep those of its first caller.
    """
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
