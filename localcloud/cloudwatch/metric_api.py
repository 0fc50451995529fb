"""The API's operations on metrics.

Times of read requests and of answers are cloud time. `Timestamp` of a `PutMetricData` is wall clock
time, as in a log event, because the writer has no other clock.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloudwatch.emf import MAX_DIMENSIONS, MAX_VALUE, UNITS
from localcloud.cloudwatch.metrics import DAY, MINUTE
from localcloud.cloudwatch.model import DefinitionError, metric_of, moment
from localcloud.cloudwatch.paging import begin as begin_of
from localcloud.cloudwatch.paging import page
from localcloud.cloudwatch.queries import Queries, check_period, reader, returned
from localcloud.cloudwatch.statistics import Distribution, check_statistic
from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from datetime import datetime

    from localcloud.cloudwatch.rows import Pending
    from localcloud.cloudwatch.service import CloudWatch
    from localcloud.cloudwatch.time_series import TimeSeries
    from localcloud.core.ports import Document

_MAX_REQUEST_BYTES = 1024 * 1024
"""Of a `PutMetricData` request's body, compressed or not (API reference, "PutMetricData")."""
_MAX_METRICS_PER_CALL = 1000
_MAX_VALUES_PER_DATUM = 150
_MAX_STATISTICS = 1440
_MAX_DATAPOINTS = 100_800
_MAX_LISTED_METRICS = 500
_MAX_AGE_SECONDS, _MAX_FUTURE_SECONDS = 14 * DAY, 7200
_RECENT_SECONDS = 3 * 3600


class MetricApi(ServiceApi):
    """See `CloudWatchApi`."""

    service: CloudWatch

    def put_metric_data(self) -> ActionResult:
        """Store data points in the ledger."""
        if "EntityMetricData" in self.params:
            raise ApiError("InvalidParameterValue", "EntityMetricData is not in the local cloud")
        namespace = self.params["Namespace"]
        if namespace.startswith("AWS/"):
            raise ApiError(
                "InvalidParameterValue",
                f"The value {namespace} for parameter Namespace is invalid.",
            )
        size = int(self.headers.get("Content-Length") or 0)
        if size > _MAX_REQUEST_BYTES:
            raise ApiError(
                "RequestEntityTooLarge", f"Request size {size} exceeded {_MAX_REQUEST_BYTES} bytes"
            )
        data = self.params.get("MetricData") or []
        if len(data) > _MAX_METRICS_PER_CALL:
            raise ApiError(
                "InvalidParameterValue", f"MetricData holds at most {_MAX_METRICS_PER_CALL} metrics"
            )
        points = [self._point(datum, f"MetricData.member.{n}") for n, datum in enumerate(data, 1)]
        found: Pending = {}
        for datum, time, observed in points:
            metric = metric_of(self.account, self.region, datum | {"Namespace": namespace})
            resolution = datum.get("StorageResolution") or MINUTE
            start = int(time) // resolution * resolution
            units = found.setdefault(metric, {}).setdefault(datum.get("Unit") or "None", {})
            distribution = units.setdefault(start, Distribution())
            if isinstance(observed, list):
                for value, count in observed:
                    distribution.add(value, count)
            else:
                distribution.add_set(*observed)
        owner = f"{self.account}/{self.region}/{namespace}"
        arrives = self.service.delays.of_call(owner, self.service.core.clock.timestamp())
        self.service.store.write(found, arrives)
        return EmptyResult()

    def _point(self, datum: Document, where: str) -> tuple[Document, float, Any]:
        """Return a datum, its time, and its values with counts or its statistic set."""
        if len(datum.get("Dimensions") or []) > MAX_DIMENSIONS:
            raise _invalid(f"{where}.Dimensions", f"at most {MAX_DIMENSIONS} are allowed")
        if (datum.get("Unit") or "None") not in UNITS:
            raise _invalid(f"{where}.Unit", f"{datum['Unit']} is not a unit")
        if (datum.get("StorageResolution") or MINUTE) not in (1, MINUTE):
            raise _invalid(f"{where}.StorageResolution", "it is either 1 or 60")
        clock = self.service.core.clock
        time = now = clock.timestamp()
        if datum.get("Timestamp") is not None:
            time = clock.of_wall(datum["Timestamp"].timestamp())
        if time < now - _MAX_AGE_SECONDS:
            raise ApiError(
                "InvalidParameterValue",
                f"The parameter {where}.Timestamp must specify a time within the past two weeks.",
            )
        if time > now + _MAX_FUTURE_SECONDS:
            raise _invalid(f"{where}.Timestamp", "it is more than two hours in the future")
        given = [
            part for part in ("Value", "Values", "StatisticValues") if datum.get(part) is not None
        ]
        if len(given) != 1:
            raise ApiError(
                "InvalidParameterCombination",
                f"The parameters {where}.Value, {where}.Values and {where}.StatisticValues are "
                "mutually exclusive and you must specify one.",
            )
        if given == ["StatisticValues"]:
            parts = ("SampleCount", "Sum", "Minimum", "Maximum")
            found = tuple(datum["StatisticValues"][part] for part in parts)
            _check_values(f"{where}.StatisticValues", found)
            _check_counts(f"{where}.StatisticValues.SampleCount", found[:1])
            return datum, time, found
        values = datum["Values"] if given == ["Values"] else [datum["Value"]]
        counts = datum.get("Counts") or [1.0] * len(values)
        if len(values) != len(counts) or len(values) > _MAX_VALUES_PER_DATUM:
            raise _invalid(
                f"{where}.Values",
                f"it holds at most {_MAX_VALUES_PER_DATUM}, and as many as Counts",
            )
        _check_values(f"{where}.Values", values)
        _check_counts(f"{where}.Counts", counts)
        return datum, time, list(zip(values, counts, strict=True))

    def list_metrics(self) -> ActionResult:
        """Return metrics with data in the last two weeks, or in the last three hours."""
        if self.params.get("IncludeLinkedAccounts"):
            raise ApiError(
                "InvalidParameterValue", "IncludeLinkedAccounts is not part of the local cloud"
            )
        reach = _RECENT_SECONDS if self.params.get("RecentlyActive") else _MAX_AGE_SECONDS
        since = self.service.core.clock.timestamp() - reach
        wanted = {(each["Name"], each.get("Value")) for each in self.params.get("Dimensions") or []}
        found = [
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            }
            for metric in self.service.store.metrics(self.account, self.region, since)
            if self.params.get("Namespace") in {None, metric.namespace}
            and self.params.get("MetricName") in {None, metric.name}
            and all(
                any(name == key and value in {None, mine} for key, mine in metric.dimensions)
                for name, value in wanted
            )
        ]
        listed, token = page(found, self.params.get("NextToken"), _MAX_LISTED_METRICS)
        return ActionResult({"Metrics": listed} | token)

    def get_metric_statistics(self) -> ActionResult:
        """Return statistics of a metric, one data point for each period and unit."""
        begin, end = self._span("InvalidParameterValue")
        period = self.params["Period"]
        plain = self.params.get("Statistics") or []
        extended = self.params.get("ExtendedStatistics") or []
        if not plain and not extended:
            raise ApiError(
                "MissingParameter",
                "At least one of the parameters Statistics and ExtendedStatistics must be "
                "specified.",
            )
        try:
            check_period(period)
            for statistic in [*plain, *extended]:
                check_statistic(statistic)
        except DefinitionError as error:
            raise ApiError("InvalidParameterValue", str(error)) from error
        if (end - begin) / period > _MAX_STATISTICS:
            raise ApiError(
                "InvalidParameterCombination",
                f"You have requested up to {math.ceil((end - begin) / period)} datapoints, which "
                f"exceeds the limit of {_MAX_STATISTICS}. You may reduce the datapoints requested "
                "by increasing Period, or decreasing the time range.",
            )
        metric = metric_of(self.account, self.region, self.params)
        store = self.service.store
        wanted = self.params.get("Unit")
        datapoints = []
        for unit in [wanted] if wanted else store.units(metric):
            for time, seen in store.windows(metric, unit, begin, end, period).items():
                point: Document = {"Timestamp": moment(time), "Unit": unit}
                point |= {name: seen.statistic(name) for name in plain}
                known = {name: seen.statistic(name) for name in extended}
                shares = {name: value for name, value in known.items() if value is not None}
                datapoints.append(point | ({"ExtendedStatistics": shares} if shares else {}))
        return ActionResult({"Label": metric.name, "Datapoints": datapoints})

    def get_metric_data(self) -> ActionResult:
        """Return metrics and metric math, in pages of `MaxDatapoints`."""
        begin, end = self._span("ValidationError")
        queries = self.params["MetricDataQueries"]
        for query in queries:
            if "${" in (query.get("Label") or ""):
                raise ApiError(
                    "ValidationError",
                    f"Query {query['Id']}: dynamic labels ({query['Label']}) are not part of the "
                    "local cloud",
                )
        try:
            fetch = reader(self.service.store, self.account, self.region, begin, end)
            series = Queries(queries, self.account).compute(fetch, begin, end)
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error
        wanted = [
            (query["Id"], each)
            for query in queries
            if returned(query)
            for each in series[query["Id"]]
        ]
        most = min(self.params.get("MaxDatapoints") or _MAX_DATAPOINTS, _MAX_DATAPOINTS)
        newest_first = self.params.get("ScanBy") != "TimestampAscending"
        return ActionResult(
            _page_of_series(wanted, newest_first, begin_of(self.params.get("NextToken")), most)
        )

    def _span(self, code: str) -> tuple[int, float]:
        """Return the requested begin (a whole minute) and end, in cloud seconds."""
        start: datetime = self.params["StartTime"]
        end: datetime = self.params["EndTime"]
        if start >= end:
            raise ApiError(code, "The parameter StartTime must be less than the parameter EndTime.")
        return int(start.timestamp()) // MINUTE * MINUTE, end.timestamp()


def _page_of_series(
    wanted: list[tuple[str, TimeSeries]], newest_first: bool, first: int, most: int
) -> Document:
    """Return the series with at most `most` data points, skipping the first `first`."""
    results = []
    passed = 0
    for name, series in wanted:
        times = sorted(series.values, reverse=newest_first)
        here = list(itertools.islice(times, max(0, first - passed), max(0, first + most - passed)))
        ends = passed + len(times)
        passed = ends
        if not here and (times or first):
            continue
        results.append(
            {
                "Id": name,
                "Label": series.label,
                "Timestamps": [moment(time) for time in here],
                "Values": [series.values[time] for time in here],
                "StatusCode": "Complete" if ends <= first + most else "PartialData",
            }
        )
    more = {"NextToken": str(first + most)} if passed > first + most else {}
    return {"MetricDataResults": results} | more


def _check_values(where: str, values: Any) -> None:
    for value in values:
        if not math.isfinite(value) or abs(value) > MAX_VALUE:
            raise _invalid(where, f"{value} is not between -2^360 and 2^360")


def _check_counts(where: str, counts: Any) -> None:
    for count in counts:
        if not 0 < count < math.inf:
            raise _invalid(where, f"{count} is not above 0")


def _invalid(where: str, problem: str) -> ApiError:
    return ApiError(
        "InvalidParameterValue", f"The value of the parameter {where} is invalid: {problem}"
    )
