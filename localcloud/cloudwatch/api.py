"""The API of CloudWatch: metrics, and the operations on alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloudwatch.metric_api import MetricApi
from localcloud.cloudwatch.model import DefinitionError, metric_of, moment
from localcloud.cloudwatch.paging import page
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from moto.core.request import Request

    from localcloud.cloudwatch.model import Alarm
    from localcloud.core.ports import Document

_EARLIEST_TIME, _LATEST_TIME = 0.0, 1e12
_STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")


class CloudWatchApi(MetricApi):
    """Metrics and alarms."""

    model: ClassVar[str] = "cloudwatch"

    def answer(self, request: Request) -> tuple[int, dict[str, Any], Any]:
        """See `ServiceApi.answer`; rejects requests in CBOR."""
        if request.content_type == "application/cbor":
            sentence = (
                "CloudWatch of the local cloud supports JSON and the query protocol, not CBOR. "
                "Use boto3 or the AWS CLI, or choose another protocol in the client"
            )
            return 501, {"Content-Type": "text/plain"}, sentence
        return super().answer(request)

    def put_metric_alarm(self) -> ActionResult:
        """Create or change a metric alarm."""
        return self._put()

    def put_composite_alarm(self) -> ActionResult:
        """Create or change a composite alarm, and evaluate it immediately."""
        return self._put()

    def _put(self) -> ActionResult:
        definition = {
            name: value
            for name, value in self.params.items()
            if name != "Tags" and value is not None
        }
        tags = {each["Key"]: each["Value"] for each in self.params.get("Tags") or []}
        try:
            self.service.alarms.put(self.account, self.region, definition, tags)
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error
        return EmptyResult()

    def delete_alarms(self) -> ActionResult:
        """Delete all of the named alarms or none."""
        try:
            self.service.alarms.delete(self.account, self.region, self.params["AlarmNames"])
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error
        return EmptyResult()

    def describe_alarms(self) -> ActionResult:
        """Return alarms by name, prefix, state and action; by default metric alarms."""
        for part in ("ChildrenOfAlarmName", "ParentsOfAlarmName"):
            if part in self.params:
                raise ApiError("ValidationError", f"{part} is not part of the local cloud")
        names = self.params.get("AlarmNames")
        prefix = self.params.get("AlarmNamePrefix") or ""
        if names and prefix:
            raise ApiError("ValidationError", "Use either AlarmNames or AlarmNamePrefix, not both")
        types = self.params.get("AlarmTypes") or ["MetricAlarm"]
        action = self.params.get("ActionPrefix") or ""
        found = [
            alarm
            for alarm in self.service.alarms.of(self.account, self.region)
            if alarm.type in types
            and (not names or alarm.name in names)
            and alarm.name.startswith(prefix)
            and self.params.get("StateValue") in {None, alarm.state.value}
            and (not action or any(each.startswith(action) for each in _actions(alarm)))
        ]
        here, token = page(found, self.params.get("NextToken"), self.params.get("MaxRecords") or 50)
        return ActionResult(
            {
                "MetricAlarms": [_described(alarm) for alarm in here if not alarm.composite],
                "CompositeAlarms": [_described(alarm) for alarm in here if alarm.composite],
            }
            | token
        )

    def describe_alarms_for_metric(self) -> ActionResult:
        """Return the metric alarms on a metric, without those on expressions."""
        metric = metric_of(self.account, self.region, self.params)
        asked = ("Statistic", "ExtendedStatistic", "Period", "Unit")
        found = [
            alarm
            for alarm in self.service.alarms.of(self.account, self.region)
            if "MetricName" in alarm.definition
            and metric_of(alarm.account, alarm.region, alarm.definition) == metric
            and all(self.params.get(part) in {None, alarm.definition.get(part)} for part in asked)
        ]
        return ActionResult({"MetricAlarms": [_described(alarm) for alarm in found]})

    def describe_alarm_history(self) -> ActionResult:
        """Return the history of one alarm or of all; by default newest first."""
        start, end = self.params.get("StartDate"), self.params.get("EndDate")
        types = self.params.get("AlarmTypes") or ["MetricAlarm"]
        name = self.params.get("AlarmName")
        items = [
            item
            for item in self.service.history.items(
                self.account,
                self.region,
                name,
                self.params.get("HistoryItemType"),
                (
                    start.timestamp() if start else _EARLIEST_TIME,
                    end.timestamp() if end else _LATEST_TIME,
                ),
            )
            if item.type in types or (name and "AlarmTypes" not in self.params)
        ]
        if self.params.get("ScanBy") == "TimestampAscending":
            items.reverse()
        here, token = page(
            items, self.params.get("NextToken"), self.params.get("MaxRecords") or 100
        )
        return ActionResult(
            {
                "AlarmHistoryItems": [
                    {
                        "AlarmName": item.alarm,
                        "AlarmType": item.type,
                        "Timestamp": moment(item.time),
                        "HistoryItemType": item.item_type,
                        "HistorySummary": item.summary,
                        "HistoryData": item.data,
                    }
                    for item in here
                ]
            }
            | token
        )

    def set_alarm_state(self) -> ActionResult:
        """Set an alarm's state until its next evaluation."""
        value = self.params["StateValue"]
        if value not in _STATES:
            raise ApiError("ValidationError", f"StateValue {value} is not one of {_STATES}")
        self.service.alarms.set_state(
            self._found(self.params["AlarmName"]),
            value,
            self.params["StateReason"],
            self.params.get("StateReasonData") or "",
        )
        return EmptyResult()

    def enable_alarm_actions(self) -> ActionResult:
        """Enable the actions of alarms."""
        return self._enable(True)

    def disable_alarm_actions(self) -> ActionResult:
        """Disable the actions of alarms."""
        return self._enable(False)

    def _enable(self, enabled: bool) -> ActionResult:
        alarms = self.service.alarms
        for name in self.params["AlarmNames"]:
            alarm = alarms.get(self.account, self.region, name)
            if alarm is not None:
                alarms.enable_actions(alarm, enabled)
        return EmptyResult()

    def tag_resource(self) -> ActionResult:
        """Add tags to an alarm."""
        alarm = self._tagged()
        tags = {each["Key"]: each["Value"] for each in self.params["Tags"]}
        self.service.alarms.tag(alarm, alarm.tags | tags)
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        """Remove tags from an alarm."""
        alarm = self._tagged()
        gone = set(self.params["TagKeys"])
        kept = {key: value for key, value in alarm.tags.items() if key not in gone}
        self.service.alarms.tag(alarm, kept)
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        """Return the tags of an alarm."""
        tags = self._tagged().tags
        return ActionResult({"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]})

    def _tagged(self) -> Alarm:
        arn = self.params["ResourceARN"]
        return self._found(arn.partition(":alarm:")[2], "ResourceNotFoundException")

    def _found(self, name: str, code: str = "ResourceNotFound") -> Alarm:
        alarm = self.service.alarms.get(self.account, self.region, name)
        if alarm is None:
            raise ApiError(code, f"Alarm {name} does not exist")
        return alarm


def _actions(alarm: Alarm) -> list[str]:
    parts = ("OKActions", "AlarmActions", "InsufficientDataActions")
    return [each for part in parts for each in alarm.definition.get(part) or []]


def _described(alarm: Alarm) -> Document:
    told: dict[str, Any] = {
        "ActionsEnabled": True,
        "OKActions": [],
        "AlarmActions": [],
        "InsufficientDataActions": [],
        **({} if alarm.composite or alarm.definition.get("Metrics") else {"Dimensions": []}),
        **alarm.definition,
        "AlarmArn": alarm.arn,
        "AlarmConfigurationUpdatedTimestamp": moment(alarm.configured),
        "StateValue": alarm.state.value,
        "StateReason": alarm.state.reason,
        "StateUpdatedTimestamp": moment(alarm.state.updated),
        "StateTransitionedTimestamp": moment(alarm.state.updated),
    }
    if alarm.state.data:
        told["StateReasonData"] = alarm.state.data
    return told
