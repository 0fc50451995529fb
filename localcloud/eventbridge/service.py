"""EventBridge: fires due rules and schedules, and matches events with rules."""

from __future__ import annotations

import json
import random
import threading
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from localcloud.eventbridge import inputs, patterns
from localcloud.eventbridge.authority import Authority
from localcloud.eventbridge.deliveries import Deliveries, Delivery
from localcloud.eventbridge.latency import Latency
from localcloud.eventbridge.metrics import Metrics
from localcloud.eventbridge.model import Rule, Schedule, timestamp
from localcloud.eventbridge.providers import Kept, providers
from localcloud.eventbridge.targets import Targets
from localcloud.eventbridge.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.bus import Event
    from localcloud.core.core import Core
    from localcloud.core.delays import Delays
    from localcloud.core.delivery_ports import BuildStarter, PipelineStarter
    from localcloud.core.function_ports import EventFunctions
    from localcloud.core.log_ports import LogWriter
    from localcloud.core.ports import MetricSink
    from localcloud.core.providers import Provider
    from localcloud.iam.access import Access

_RULE = "schedules:rule"
_SCHEDULE = "schedules:schedule"


class Schedules:
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self,
        core: Core,
        access: Access,
        delays: Delays,
        *,
        functions: EventFunctions,
        logs: LogWriter,
        metrics: MetricSink,
        builds: BuildStarter,
        pipelines: PipelineStarter,
    ) -> None:
        self.core = core
        self.access = access
        self.rules: dict[str, Rule] = {}
        self.schedules: dict[str, Schedule] = {}
        self.providers: dict[str, Provider] = providers(
            access,
            Kept(self.rules, self.put_rule, self.delete_rule),
            Kept(self.schedules, self.put_schedule, self.delete_schedule),
        )
        self._timer = Timer(core.clock)
        self._metrics = Metrics(core.clock, metrics)
        self._latency = Latency(delays)
        targets = Targets(
            core,
            Authority(access, functions, logs),
            invoke=functions.queue,
            logs=logs,
            builds=builds,
            pipelines=pipelines,
        )
        self._deliveries = Deliveries(core, targets, self._timer, self._metrics)
        self._unsubscribe: Callable[[], None] = lambda: None
        self._lock = threading.RLock()

    def start(self) -> None:
        """Load rules and schedules and resume deliveries; skip missed due times."""
        for key, document in self.core.ledger.all(_RULE):
            self.rules[key] = Rule(**document)
        for key, document in self.core.ledger.all(_SCHEDULE):
            self.schedules[key] = Schedule(**document)
        self._metrics.start()
        self._timer.start()
        self._deliveries.start()
        now = self.core.clock.timestamp()
        for rule in self.rules.values():
            self._schedule_rule(rule, now)
        for schedule in self.schedules.values():
            self._schedule_next(schedule, now)
        self._unsubscribe = self.core.bus.subscribe(self._on_event)

    def stop(self) -> None:
        """Stop firing rules and schedules."""
        self._unsubscribe()
        self._timer.stop()
        self._deliveries.stop()
        self._metrics.stop()

    def put_rule(self, rule: Rule) -> None:
        """Write a rule to the ledger and start to fire it.

        A `Rule` is never changed in place: a pending timer compares identities to see whether its
        rule was replaced.
        """
        with self._lock:
            self.core.ledger.put(_RULE, rule.key, asdict(rule))
            self.rules[rule.key] = rule
        self._schedule_rule(rule, self.core.clock.timestamp())

    def delete_rule(self, account: str, region: str, name: str) -> None:
        """Delete a rule with its targets, if it exists."""
        key = f"{account}/{region}/{name}"
        with self._lock:
            self.core.ledger.delete(_RULE, key)
            self.rules.pop(key, None)

    def put_schedule(self, schedule: Schedule) -> None:
        """Write a schedule to the ledger and start to fire it."""
        with self._lock:
            self.core.ledger.put(_SCHEDULE, schedule.key, asdict(schedule))
            self.schedules[schedule.key] = schedule
        self._schedule_next(schedule, self.core.clock.timestamp())

    def delete_schedule(self, account: str, region: str, name: str) -> None:
        """Delete a schedule, if it exists."""
        key = f"{account}/{region}/{name}"
        with self._lock:
            self.core.ledger.delete(_SCHEDULE, key)
            self.schedules.pop(key, None)

    def accept(self, account: str, region: str, event: dict[str, Any]) -> None:
        """Match an event (in its JSON form) with the rules of the default bus.

        Its deliveries are in the ledger when this returns.
        """
        matched = [
            rule
            for rule in list(self.rules.values())
            if (rule.account, rule.region, rule.state) == (account, region, "ENABLED")
            and rule.pattern
            and patterns.matches(rule.parsed, event)
        ]
        for rule in matched:
            self._trigger(rule, event)

    def _on_event(self, event: Event) -> None:
        document = {
            "version": "0",
            "id": event.id,
            "detail-type": event.detail_type,
            "source": event.source,
            "account": event.account,
            "time": timestamp(event.time),
            "region": event.region,
            "resources": list(event.resources),
            "detail": event.detail,
        }
        # Use the timer's thread: the publisher does not wait, and events keep their order.
        self._timer.at(0.0, lambda: self.accept(event.account, event.region, document))

    def _schedule_rule(self, rule: Rule, after: float) -> None:
        due = rule.due_after(after)
        if due is not None:
            late = self._latency.of_time(rule.schedule, rule.arn, due)
            self._timer.at(due + late, lambda: self._fire_rule(rule, due))

    def _fire_rule(self, rule: Rule, due: float) -> None:
        if self.rules.get(rule.key) is not rule:
            return
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": rule.account,
            "time": timestamp(due),
            "region": rule.region,
            "resources": [rule.arn],
            "detail": {},
        }
        self._schedule_rule(rule, due)
        self._trigger(rule, event)

    def _trigger(self, rule: Rule, event: dict[str, Any]) -> None:
        now = self.core.clock.timestamp()
        self._metrics.count(rule.account, rule.region, rule.name, "TriggeredRules")
        self._deliveries.accept(
            Delivery(
                account=rule.account,
                region=rule.region,
                source_arn=rule.arn,
                target=target,
                payload=inputs.render(target, event, rule.arn, timestamp(now)),
                due=now,
                begins=now + late,
            )
            for target in rule.targets
            for late in self._latency.of_deliveries(rule.arn)
        )

    def _schedule_next(self, schedule: Schedule, after: float) -> None:
        due = schedule.due_after(after)
        if due is not None:
            # Any time within the flexible window is allowed.
            window = 60.0 * schedule.window.get("MaximumWindowInMinutes", 0)
            when = due + random.uniform(0, window)  # noqa: S311  # not for security
            if not window:
                when += self._latency.of_time(schedule.expression, schedule.arn, due)
            self._timer.at(when, lambda: self._fire_schedule(schedule, due))

    def _fire_schedule(self, schedule: Schedule, due: float) -> None:
        if self.schedules.get(schedule.key) is not schedule:
            return
        self._schedule_next(schedule, due)
        now, payload = self.core.clock.timestamp(), _scheduled_payload(schedule, due)
        deliveries = [
            Delivery(
                account=schedule.account,
                region=schedule.region,
                source_arn=schedule.arn,
                target=schedule.target,
                payload=payload,
                due=due,
                begins=now + late,
            )
            for late in self._latency.of_deliveries(schedule.arn)
        ]
        with self.core.ledger.transaction():
            # Delete it before the delivery, so that the target does not find it.
            if schedule.after_completion == "DELETE" and schedule.next_after(due) is None:
                self.delete_schedule(schedule.account, schedule.region, schedule.name)
            self._deliveries.accept(deliveries)


def _scheduled_payload(schedule: Schedule, due: float) -> str:
    """Return the schedule's input with context attributes, or Scheduler's default."""
    execution = str(uuid.uuid4())
    given = schedule.target.get("Input")
    if given is None:
        return json.dumps(
            {
                "version": "0",
                "id": execution,
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": schedule.account,
                "time": timestamp(due),
                "region": schedule.region,
                "resources": [schedule.arn],
                "detail": "{}",
            }
        )
    text = str(given)
    for name, value in (
        ("schedule-arn", schedule.arn),
        ("scheduled-time", timestamp(due)),
        ("execution-id", execution),
    ):
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text
