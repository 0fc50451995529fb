"""Durations and rates of the cloud, converted to wall time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from console.aws.speed import announced_speed, duration_here, environment_here, rate_here
from console.local import local_cloud
from console.local.local_cloud import LocalCloud
from environments.schema import load

CLOUD = LocalCloud("http://127.0.0.1:4566", "http://127.0.0.1:4567", 1, 60.0, "s")


def test_at_speed_1_there_is_nothing_to_convert() -> None:
    assert duration_here(timedelta(days=1), 1) == ""
    assert rate_here(20, 1) == ""
    assert environment_here("prod", load("prod"), 1) == ""


def test_a_duration_and_a_rate_are_scaled() -> None:
    assert duration_here(timedelta(days=1), 60) == "24 m 00 s here, at speed 60"
    assert rate_here(20, 60) == "1,200 a second here, at speed 60"
    assert rate_here(0.5, 0.5) == "0.2 a second here, at speed 0.5"


def test_the_bake_and_rates_of_an_environment_are_scaled() -> None:
    assert environment_here("prod", load("prod"), 60) == (
        "At speed 60, in prod: the bake of 4 minutes lasts 4.0 s here; the 20 requests a second "
        "that the judge expects are 1,200 here; the throttle of 500 requests a second is 30,000 "
        "here."
    )
    assert environment_here("dev", load("dev"), 60) == (
        "At speed 60, in dev: the throttle of 100 requests a second is 6,000 here."
    )


@pytest.mark.parametrize(
    ("cloud", "endpoint", "speed"),
    [
        (CLOUD, None, 60.0),
        (CLOUD, CLOUD.endpoint, 60.0),
        (CLOUD, "https://aws.example", 1.0),
        (None, None, 1.0),
        (None, CLOUD.endpoint, 1.0),
    ],
)
def test_the_speed_is_that_of_the_cloud_that_a_command_uses(
    cloud: LocalCloud | None, endpoint: str | None, speed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_cloud, "find", lambda *_: cloud)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert announced_speed([Path(".pithead")]) == speed
