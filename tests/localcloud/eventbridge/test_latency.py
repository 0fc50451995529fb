"""EventBridge's latency, and second deliveries."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.delays import AS_ON_AWS, NO_DELAYS, Delays
from localcloud.eventbridge.latency import Latency

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNT, REGION = "222222222222", "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:judge:live"
RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r"


def test_a_cron_takes_effect_within_its_minute_and_a_rate_at_no_regular_pace() -> None:
    """See "Setting a schedule pattern for scheduled rules" and Zappa#806."""
    latency = Latency(AS_ON_AWS)
    dues = [60.0 * minute for minute in range(200)]
    crons = [latency.of_time("cron(* * * * ? *)", RULE, due) for due in dues]
    rates = [latency.of_time("rate(1 minute)", RULE, due) for due in dues]
    assert 0 <= min(crons) < 5
    assert 50 < max(crons) <= 55
    assert 15 < max(rates) <= 20


def test_a_delivery_takes_seconds_and_one_in_a_hundred_is_repeated() -> None:
    """See "My rule ran more than once in response to one event"."""
    latency = Latency(AS_ON_AWS)
    deliveries = [latency.of_deliveries(RULE) for _ in range(2000)]
    assert all(0.3 <= each[0] <= 3 for each in deliveries)
    repeated = [each for each in deliveries if len(each) == 2]
    assert 5 <= len(repeated) <= 40
    assert all(1 <= second - first <= 10 for first, second in repeated)


def test_a_seed_reproduces_the_delays() -> None:
    def times(delays: Delays) -> list[Any]:
        latency = Latency(delays)
        return [latency.of_deliveries(RULE) for _ in range(9)] + [
            latency.of_time("cron(* * * * ? *)", RULE, 60.0)
        ]

    assert times(Delays(seed=1)) == times(Delays(seed=1)) != times(Delays(seed=2))
    assert times(NO_DELAYS) == [[0.0]] * 9 + [0.0]


def test_a_rule_fires_when_its_time_takes_effect(
    start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = start(tmp_path, AS_ON_AWS)
    times: list[float] = []
    timer = reached.cloud.schedules._timer
    monkeypatch.setattr(timer, "at", lambda time, _action: times.append(time))
    reached.events.put_rule(Name="r", ScheduleExpression="cron(* * * * ? *)")
    [fires] = times
    due = fires // 60 * 60
    assert fires - due == pytest.approx(
        Latency(AS_ON_AWS).of_time("cron(* * * * ? *)", RULE, due), abs=1e-3
    )


def test_an_event_reaches_its_target_twice(start: Callable[..., Any], tmp_path: Path) -> None:
    seed = next(
        seed
        for seed in itertools.count()
        if len(Latency(Delays(seed=seed)).of_deliveries(RULE)) == 2  # twice
    )
    reached = start(tmp_path, Delays(seed=seed))
    reached.events.put_rule(Name="r", EventPattern=json.dumps({"source": ["mine"]}))
    reached.events.put_targets(Rule="r", Targets=[{"Id": "one", "Arn": FUNCTION}])
    entry = {"Source": "mine", "DetailType": "Thing Done", "Detail": "{}"}
    [sent] = reached.events.put_events(Entries=[entry])["Entries"]
    assert [reached.next()["payload"]["id"] for _ in range(2)] == [sent["EventId"]] * 2
