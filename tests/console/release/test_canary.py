from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.release.canary import Canary
from console.release.canary_watch import _end_of_counting, alarm_named, newest_alarm

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
def test_the_alarm_in_codedeploys_message_is_found(message: str, name: str | None) -> None:
    assert alarm_named(message) == name


def test_an_alarm_without_history_has_no_reason() -> None:
    assert newest_alarm([]) is None
    assert newest_alarm([{"AlarmName": "a", "Timestamp": START}]) is None


@pytest.mark.parametrize(
    ("status", "seconds", "until"),
    [
        pytest.param("InProgress", None, "12:10:50", id="the shift is in progress"),
        pytest.param(
            "Succeeded", 310, "12:05:00", id="the last minute has requests after the shift"
        ),
        pytest.param("Succeeded", 10, "12:01:00", id="the shift is in one minute"),
        pytest.param("Stopped", 100, "12:03:00", id="the new version has no requests after a stop"),
    ],
)
def test_requests_are_counted_in_the_whole_minutes_of_a_shift(
    status: str, seconds: float | None, until: str
) -> None:
    completed = START + timedelta(seconds=seconds) if seconds else None
    canary = Canary("prod", "d-1", status, START, "2", "3", completed=completed)
    now = datetime(2026, 1, 1, 12, 9, 50, tzinfo=UTC)
    assert f"{_end_of_counting(canary, now):%H:%M:%S}" == until
