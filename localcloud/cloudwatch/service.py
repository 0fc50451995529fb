"""CloudWatch: metrics and alarms."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from localcloud.cloudwatch.actions import Actions
from localcloud.cloudwatch.alarms import Alarms
from localcloud.cloudwatch.delays import MetricDelays
from localcloud.cloudwatch.emf import extract
from localcloud.cloudwatch.evaluator import AlarmEvaluator
from localcloud.cloudwatch.history import History
from localcloud.cloudwatch.metrics import DAY, MetricStore
from localcloud.cloudwatch.model import Metric
from localcloud.cloudwatch.provider import AlarmProvider
from localcloud.core.ports import AlarmState
from localcloud.core.storage import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from localcloud.core.core import Core
    from localcloud.core.delays import Delays
    from localcloud.core.function_ports import EventInvoker
    from localcloud.core.log_ports import LogFeed
    from localcloud.core.ports import Datum
    from localcloud.core.providers import Provider
    from localcloud.iam.access import Access

logger = logging.getLogger(__name__)
_FLUSH_INTERVAL_SECONDS = 1.0  # wall seconds of unacknowledged data that a kill loses
_MAX_AGE_SECONDS, _MAX_FUTURE_SECONDS = 14 * DAY, 7200  # seconds that AWS accepts


class CloudWatch:
    """See `localcloud.core.service_api.Service`."""

    def __init__(
        self, core: Core, access: Access, delays: Delays, *, logs: LogFeed, invoke: EventInvoker
    ) -> None:
        self.core = core
        self._logs = logs
        self.delays = MetricDelays(delays)
        self.store = MetricStore(core.ledger, core.clock)
        self.history = History(core.ledger)
        self._actions = Actions(core, access, self.history, invoke)
        self.alarms = Alarms(core, self.history, self._actions)
        self.providers: dict[str, Provider] = {
            "AWS::CloudWatch::Alarm": AlarmProvider(self.alarms, "PutMetricAlarm"),
            "AWS::CloudWatch::CompositeAlarm": AlarmProvider(self.alarms, "PutCompositeAlarm"),
        }
        self._evaluator = AlarmEvaluator(core.clock, self.store, self.alarms)
        self._stop = threading.Event()
        self._flusher = threading.Thread(target=self._flush, name="metrics", daemon=True)

    def start(self) -> None:
        """Start to extract metrics from logs and to evaluate alarms."""
        self._logs.subscribe(self._read)
        self._flusher.start()
        self._actions.start()
        self._evaluator.start()

    def stop(self) -> None:
        """Stop all threads and write the metrics in memory to the ledger."""
        self._evaluator.stop()
        self._actions.stop()
        self._stop.set()
        self.store.changed.set()
        self._flusher.join()
        self.store.flush()

    def put(self, account: str, region: str, namespace: str, data: Sequence[Datum]) -> None:
        """Add metrics of a service without waiting for the disk.

        They are in the ledger within a second. Alarms and queries see them after their arrival.
        """
        now, owner = self.core.clock.timestamp(), f"{account}/{region}/{namespace}"
        for datum in data:
            arrives = self.delays.of_service(owner, datum.dimensions, now)
            metric = Metric(
                account, region, namespace, datum.name, tuple(sorted(datum.dimensions.items()))
            )
            counts = datum.counts or (1.0,) * len(datum.values)
            observed = zip(datum.values, counts, strict=True)
            self.store.put(metric, datum.unit, datum.time, observed, arrives=arrives)

    def alarm_states(
        self, account: str, region: str, names: Iterable[str]
    ) -> dict[str, AlarmState]:
        """Return the states of the named metric and composite alarms that exist."""
        found = {name: self.alarms.get(account, region, name) for name in names}
        return {
            name: AlarmState(alarm.state.value, alarm.state.reason, alarm.state.updated)
            for name, alarm in found.items()
            if alarm is not None
        }

    def _flush(self) -> None:
        while self.store.changed.wait() and not self._stop.wait(_FLUSH_INTERVAL_SECONDS):
            try:
                self.store.flush()
            except StorageError:  # the store keeps the data for the next flush
                logger.exception("Metrics are kept in memory until the next flush")

    def _read(
        self,
        account: str,
        region: str,
        group: str,
        _stream: str,
        lines: Sequence[tuple[float, str]],
    ) -> None:
        """Extract metrics from log lines, on the writer's thread."""
        for time, line in lines:
            if '"_aws"' not in line:
                continue
            found = extract(line)
            clock = self.core.clock
            now = clock.timestamp()
            arrives = self.delays.of_log_line(line, now)
            for each in found.observations:
                # Processes write timestamps of the wall clock.
                at = clock.of_wall(each.milliseconds / 1000)
                if now - _MAX_AGE_SECONDS <= at <= now + _MAX_FUTURE_SECONDS:
                    metric = Metric(account, region, each.namespace, each.name, each.dimensions)
                    observed = ((value, 1.0) for value in each.values)
                    self.store.put(metric, each.unit, at, observed, each.resolution, arrives)
                else:
                    found.invalid += 1
            counted = (
                ("EMFValidationErrors", found.invalid),
                ("EMFParsingErrors", found.unreadable),
            )
            for name, errors in counted:
                if errors:
                    logs = Metric(account, region, "AWS/Logs", name, (("LogGroupName", group),))
                    self.store.put(logs, "None", time, [(float(errors), 1.0)], arrives=arrives)
