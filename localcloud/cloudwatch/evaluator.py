"""Evaluate metric alarms on schedule.

An alarm with a period of a minute or more is evaluated once per cloud minute, over windows that
slide by a minute. An alarm with a shorter period is evaluated every 10 seconds, and an alarm whose
range is longer than a day once an hour. An evaluation reads only complete periods, after a grace
period in which the last data of services arrives.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.cloudwatch.definition import rule, watched
from localcloud.cloudwatch.evaluation import Datapoint, evaluate
from localcloud.cloudwatch.model import metric_of
from localcloud.cloudwatch.queries import Queries, reader
from localcloud.core.buffer import LONGEST_INTERVAL_SECONDS

if TYPE_CHECKING:
    from localcloud.cloudwatch.alarms import Alarms
    from localcloud.cloudwatch.evaluation import Rule
    from localcloud.cloudwatch.metrics import MetricStore
    from localcloud.cloudwatch.model import Alarm
    from localcloud.core.clock import Clock
    from localcloud.core.ports import Document

logger = logging.getLogger(__name__)
_DELIVERY_SECONDS = 0.15
_GRACE_SECONDS = LONGEST_INTERVAL_SECONDS + _DELIVERY_SECONDS
"""Wall seconds for the metrics of a period to arrive: services buffer theirs."""
_SHORT_STEP_SECONDS, _MINUTE_SECONDS, _HOUR_SECONDS, _DAY_SECONDS = 10, 60, 3600, 86400
_MAX_LAG_SECONDS = _HOUR_SECONDS  # cloud seconds; a longer delay skips evaluations


class AlarmEvaluator:
    """The thread that evaluates metric alarms."""

    def __init__(self, clock: Clock, store: MetricStore, alarms: Alarms) -> None:
        self._clock = clock
        self._store = store
        self._alarms = alarms
        self._plans: dict[str, _Plan] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarm-watch", daemon=True)

    def start(self) -> None:
        """Start to evaluate."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the running evaluation."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        grace = _GRACE_SECONDS * self._clock.speed
        passed = int(self._clock.timestamp()) // _SHORT_STEP_SECONDS * _SHORT_STEP_SECONDS
        while True:
            due = self._next(passed)
            if self._clock.wait(due + grace - self._clock.timestamp(), self._stop):
                return
            if self._clock.timestamp() - due > _MAX_LAG_SECONDS + grace:
                due = int(self._clock.timestamp() - grace) // _MINUTE_SECONDS * _MINUTE_SECONDS
            for alarm in self._watched():
                if due % self._plan(alarm).step == 0:
                    try:
                        self._evaluate_alarm(alarm, due)
                    except Exception:  # a bug, here or in a subscriber
                        logger.exception("Alarm %s is not evaluated", alarm.key)
            passed = due

    def _next(self, passed: int) -> int:
        """Return the cloud time of the next evaluation."""
        short = any(self._plan(each).step == _SHORT_STEP_SECONDS for each in self._watched())
        step = _SHORT_STEP_SECONDS if short else _MINUTE_SECONDS
        return passed // step * step + step

    def _watched(self) -> list[Alarm]:
        return [each for each in self._alarms.all() if not each.composite]

    def _plan(self, alarm: Alarm) -> _Plan:
        plan = self._plans.get(alarm.key)
        if plan is None or plan.definition is not alarm.definition:
            plan = self._plans[alarm.key] = _Plan.of(alarm)
        return plan

    def _evaluate_alarm(self, alarm: Alarm, now: int) -> None:
        plan = self._plan(alarm)
        points = self._datapoints(alarm, plan, now)
        new_state = evaluate(plan.rule, points, self._clock.timestamp())
        if new_state is not None:
            self._alarms.set_state(alarm, new_state.value, new_state.reason, new_state.data)

    def _datapoints(self, alarm: Alarm, plan: _Plan, now: int) -> list[Datapoint | None]:
        """Return a data point or None for each period of the evaluation range."""
        how = plan.rule
        begin = now - how.evaluation_range * how.period
        found: dict[int, Datapoint] = {}
        if how.statistic:
            metric = metric_of(alarm.account, alarm.region, alarm.definition)
            unit = alarm.definition.get("Unit")
            windows = self._store.windows(metric, unit, begin, now, how.period)
            for time, distribution in windows.items():
                value = distribution.statistic(how.statistic)
                if value is not None:
                    found[time] = Datapoint(time, value, distribution.count)
        else:
            fetch = reader(self._store, alarm.account, alarm.region, begin, now)
            series = plan.queries.compute(fetch, begin, now)[plan.watched][0]
            found = {time: Datapoint(time, value) for time, value in series.values.items()}
        return [found.get(time) for time in range(begin, now, how.period)]


@dataclass(frozen=True)
class _Plan:
    """An alarm's definition, prepared for evaluation."""

    definition: Document
    rule: Rule
    queries: Queries
    watched: str
    step: int
    """Cloud seconds between two evaluations."""

    @classmethod
    def of(cls, alarm: Alarm) -> _Plan:
        queries, watched_id = watched(alarm.definition)
        how = rule(alarm.definition, alarm.account)
        step = _MINUTE_SECONDS
        if how.period < _MINUTE_SECONDS:
            step = _SHORT_STEP_SECONDS
        elif how.period * how.periods > _DAY_SECONDS:
            step = _HOUR_SECONDS
        return cls(alarm.definition, how, Queries(queries, alarm.account), watched_id, step)
