from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.release.canary import Canary, _until, alarm_named, alarm_that_went_off

START = datetime(2026, 1, 1, 12, 0, 20, tzinfo=UTC)
MESSAGE = (
    "One or more alarms have been activated according to the Amazon CloudWatch metrics you "
    "selected, and the affected deployments have been stopped. Activated alarms: "
)


@pytest.mark.parametrize(
    ("message", "name"),
    [
        (MESSAGE + "<files-prod-version-3-failures>", "files-prod-version-3-failures"),
        (MESSAGE + "<first, second>. Threshold crossed.", "first"),
        (MESSAGE + "plain", "plain"),
        ("The deployment was stopped by a person.", None),
    ],
)
def test_the_alarm_that_codedeploy_names(message: str, name: str | None) -> None:
    assert alarm_named(message) == name


def test_an_alarm_without_a_history_has_no_reason() -> None:
    assert alarm_that_went_off([]) is None
    assert alarm_that_went_off([{"AlarmName": "a", "Timestamp": START}]) is None


@pytest.mark.parametrize(
    ("status", "seconds", "until"),
    [
        pytest.param("InProgress", None, "12:10:50", id="still shifting"),
        pytest.param("Succeeded", 310, "12:05:00", id="the last minute has other requests too"),
        pytest.param("Succeeded", 10, "12:01:00", id="it had no other minute"),
        pytest.param("Stopped", 100, "12:03:00", id="afterwards the new version had none"),
    ],
)
def test_requests_are_counted_while_traffic_shifts(
    status: str, seconds: float | None, until: str
) -> None:
    completed = START + timedelta(seconds=seconds) if seconds else None
    canary = Canary("prod", "d-1", status, START, "2", "3", completed=completed)
    now = datetime(2026, 1, 1, 12, 9, 50, tzinfo=UTC)
    assert f"{_until(canary, now):%H:%M:%S}" == until
