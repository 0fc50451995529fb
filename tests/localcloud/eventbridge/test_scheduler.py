from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNT, REGION = "222222222222", "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:judge"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
TARGET = {"Arn": FUNCTION, "RoleArn": ROLE}
OFF = {"Mode": "OFF"}


def at(reached: Any, seconds: float) -> str:
    """Return an `at(…)` in a number of seconds of cloud time."""
    moment = datetime.fromtimestamp(reached.cloud.clock.timestamp() + seconds, UTC)
    return f"at({moment.strftime('%Y-%m-%dT%H:%M:%S')})"


def test_a_schedule_fires_once_and_deletes_itself(reached: Any) -> None:
    arn = reached.scheduler.create_schedule(
        Name="once",
        ScheduleExpression=at(reached, 86400),
        FlexibleTimeWindow=OFF,
        Target=TARGET
        | {
            "Input": '{"arn": "<aws.scheduler.schedule-arn>", '
            '"attempt": <aws.scheduler.attempt-number>}'
        },
        ActionAfterCompletion="DELETE",
    )["ScheduleArn"]
    assert reached.scheduler.get_schedule(Name="once")["ActionAfterCompletion"] == "DELETE"
    reached.advance(86400)
    call = reached.next()
    assert call["payload"] == {"arn": arn, "attempt": 1}
    assert call["function"] == (ACCOUNT, REGION, "judge", None)
    assert reached.scheduler.list_schedules()["Schedules"] == []
    # A schedule uses its role; the function's own policy is not evaluated.
    assert reached.functions.asked == []


def test_a_rate_sends_schedulers_own_notification(reached: Any) -> None:
    reached.scheduler.create_schedule(
        Name="rate",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1},
        Target=TARGET,
    )
    payloads = []
    for _ in range(2):
        # One at a time, because simultaneous invocations have no order.
        reached.advance(86400)
        payloads.append(reached.next()["payload"])
    first, second = payloads
    assert first["source"] == "aws.scheduler"
    assert first["detail"] == "{}"
    apart = datetime.fromisoformat(second["time"]) - datetime.fromisoformat(first["time"])
    assert apart.total_seconds() == 86400


def test_the_api_describes_what_was_put(reached: Any) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    wanted: dict[str, Any] = {
        "Name": "told",
        "ScheduleExpression": "cron(0 9 ? * MON-FRI *)",
        "ScheduleExpressionTimezone": "Europe/Rome",
        "FlexibleTimeWindow": OFF,
        "StartDate": start,
        "Target": TARGET | {"RetryPolicy": {"MaximumRetryAttempts": 3}},
    }
    reached.scheduler.create_schedule(**wanted)
    with pytest.raises(ClientError) as caught:
        reached.scheduler.create_schedule(**wanted)
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    found = reached.scheduler.get_schedule(Name="told")
    assert {name: found[name] for name in wanted} == wanted
    assert found["State"] == "ENABLED"
    reached.scheduler.update_schedule(**wanted | {"State": "DISABLED"})
    [listed] = reached.scheduler.list_schedules(NamePrefix="t", State="DISABLED")["Schedules"]
    assert (listed["Name"], listed["Target"]["Arn"]) == ("told", FUNCTION)
    reached.scheduler.delete_schedule(Name="told")
    with pytest.raises(ClientError) as caught:
        reached.scheduler.get_schedule(Name="told")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ScheduleExpression": "cron(0 9 * * * *)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpression": "at(tomorrow)"}, "yyyy-mm-ddThh:mm:ss"),
        ({"ScheduleExpressionTimezone": "Europe/Nowhere"}, "Europe/Nowhere is not a valid"),
        ({"GroupName": "other"}, "Schedule group other does not exist"),
        (
            {"Target": TARGET | {"Arn": "arn:aws:scheduler:::aws-sdk:s3:listBuckets"}},
            "aws-sdk:s3:listBuckets is not part of the local cloud",
        ),
        ({"Target": TARGET | {"KinesisParameters": {"PartitionKey": "k"}}}, "KinesisParameters"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
    ],
)
def test_an_unsupported_schedule_is_an_error(
    reached: Any, change: dict[str, Any], message: str
) -> None:
    good = {
        "Name": "wrong",
        "ScheduleExpression": "rate(1 day)",
        "FlexibleTimeWindow": OFF,
        "Target": TARGET,
    }
    with pytest.raises(ClientError, match=message):
        reached.scheduler.create_schedule(**good | change)
    assert reached.scheduler.list_schedules()["Schedules"] == []


def test_a_template_creates_a_schedule(reached: Any) -> None:
    schedule = {
        "Type": "AWS::Scheduler::Schedule",
        "Properties": {
            "ScheduleExpression": "rate(1 minute)",
            "FlexibleTimeWindow": OFF,
            "StartDate": "2026-01-01T00:00:00Z",
            "Target": TARGET | {"Input": '"hello"'},
        },
    }
    stack = reached.deploy({"It": schedule})
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["Reasons"]
    assert reached.next()["payload"] == "hello"
    reached.delete()
    assert reached.scheduler.list_schedules()["Schedules"] == []


def test_schedules_survive_a_restart(tmp_path: Path, start: Callable[[Path], Any]) -> None:
    first = start(tmp_path)
    first.scheduler.create_schedule(
        Name="kept", ScheduleExpression="rate(1 minute)", FlexibleTimeWindow=OFF, Target=TARGET
    )
    first.server.stop()
    again = start(tmp_path)
    assert again.next()["payload"]["resources"][0].endswith("schedule/default/kept")
