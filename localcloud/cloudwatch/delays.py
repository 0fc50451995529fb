"""Arrival delays of metrics: as on AWS, no metric is visible immediately.

| metrics | arrive, after the end of what they count |
|---|---|
| AWS/Lambda | when they are sent, once a minute, dated at the invocation's start ("Using CloudWatch metrics with Lambda": when a function has finished, in intervals of a minute; mapbox/cloudfriend#70, marbot-io/monitoring-jump-start#63: crashes by timeout were dated so far back that alarms missed them) |
| AWS/ApiGateway | when they are sent, once a minute ("Amazon API Gateway dimensions and metrics") |
| AWS/Events, AWS/Logs | the same |
| log lines in the embedded metric format | when CloudWatch Logs has read them, 2 to 45 seconds later and not in order ("Setting alarms on metrics created with the embedded metric format") |
| `PutMetricData` | 1 to 3 seconds later |

AWS documents no upper bound. Tools that read metrics of one minute wait two or three minutes for
them (Datadog's guide on the delay of cloud metrics; Netflix/atlas#1300). `metric_seconds` is added
to all delays except those of `PutMetricData`.
"""  # noqa: E501  # a table

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.core.delays import Delays

_INTERVAL_SECONDS = 60
_TRANSIT_SECONDS = 5
_LOGS_SECONDS = (2, 45)
_CALL_SECONDS = (1, 3)
_STEP_SECONDS = 5
"""Log lines of each interval of this length arrive together."""
_RESOURCES = ("FunctionName", "ApiName", "RuleName", "LogGroupName")
"""Dimensions of a resource, whose metrics a service sends together."""


class MetricDelays:
    """Computes the cloud time at which a metric arrives."""

    def __init__(self, delays: Delays) -> None:
        self._delays = delays

    def of_service(self, owner: str, dimensions: Mapping[str, str], now: float) -> float:
        """Return a service metric's arrival; `owner` is account, region and namespace."""
        if not self._delays.enabled:
            return now
        resource = next((dimensions[each] for each in _RESOURCES if each in dimensions), "")
        phase = self._delays.share(f"{owner}/{resource}") * _INTERVAL_SECONDS
        sent = math.ceil((now - phase) / _INTERVAL_SECONDS) * _INTERVAL_SECONDS + phase
        return sent + _TRANSIT_SECONDS + self._delays.metric_seconds

    def of_log_line(self, line: str, now: float) -> float:
        """Return when the metrics of a log line arrive."""
        if not self._delays.enabled:
            return now
        due = now + self._delays.between(_LOGS_SECONDS, line) + self._delays.metric_seconds
        return math.ceil(due / _STEP_SECONDS) * _STEP_SECONDS

    def of_call(self, owner: str, now: float) -> float:
        """Return when the data of a `PutMetricData` arrive."""
        return now + self._delays.between(_CALL_SECONDS, f"{owner}/{now}")
