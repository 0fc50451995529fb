"""A release's shift of traffic: what CodeDeploy did, what stopped it, what it cost."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from console.aws.account import answered_at
from console.aws.deployed import weights
from console.aws.throttles import throttles
from console.judge.records import condemnation, kept
from pipeline.names import (
    ALIAS,
    BLIND,
    HEARTBEAT,
    NAMESPACE,
    RAILS,
    SERVICE,
    SYNTHETIC,
    VERDICTS,
    version_alarm_name,
)

if TYPE_CHECKING:
    from datetime import datetime

    from console.aws.account import Aws
    from console.aws.deployed import Deployed
    from pipeline.judge.statistics.condemnation import Condemnation
    from pipeline.judge.statistics.record import Record

_ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
_HOOK_FAILED = "HOOK_EXECUTION_FAILURE"
"""By this name CodeDeploy reports that the judge refused or ended a shift."""
_FOUND_BAD = frozenset({"ALARM_ACTIVE", _HOOK_FAILED, "MANUAL_STOP"})
"""CodeDeploy's error codes that speak of the new version; the others, such as INTERNAL_ERROR and
THROTTLED, of CodeDeploy ("ErrorInformation")."""
_ROLLBACK = "codeDeployRollback"
_ACTIVATED = re.compile(r"Activated alarms: <?([^>,\s]+)")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Traffic:
    """Requests while traffic shifted, on both versions, as the service counts them.

    CloudWatch keeps them by the minute: of a shift that went to its end the last minute, which
    has requests of the time after it too, is left out.
    """

    requests: int = 0
    failures: int = 0
    canary_requests: int = 0
    canary_failures: int = 0


@dataclass(frozen=True)
class Canary:
    """One deployment of an alias."""

    environment: str
    deployment_id: str
    status: str
    """CodeDeploy's: Created, InProgress, Succeeded, Failed, Stopped and others."""
    began: datetime
    current_version: str
    target_version: str
    stopped_by: str | None = None
    """The alarm's name, where an alarm stopped it."""
    completed: datetime | None = None
    """When it ended."""
    reason: str = ""
    """The alarm's own reason, else CodeDeploy's."""
    code: str = ""
    """CodeDeploy's error code, such as ALARM_ACTIVE or INTERNAL_ERROR."""
    weights: tuple[tuple[float, float], ...] = ()
    """Seen at each change: the cloud's seconds since it began, per cent on the new version."""
    traffic: Traffic = field(default_factory=Traffic)
    bake_began: datetime | None = None
    """When all traffic was on the new version and the watch over it began."""
    record: Record | None = None
    """What the judge has written down so far; None where nobody judges, or nothing is yet."""
    throttles: int = 0
    """Requests to both versions that Lambda throttled before the canary was stopped."""
    condemned: Condemnation | None = None
    """Why the judge refused the version before it got traffic; None if it did not."""

    @property
    def refused(self) -> bool:
        """Whether the judge refused the version before it got traffic."""
        return self.record is not None and self.record.outcome == "refused as condemned before"

    @property
    def stopper(self) -> str:
        """Who stopped it, in words."""
        if self.stopped_by:
            return f"the alarm {self.stopped_by}"
        return "the judge" if self.code == _HOOK_FAILED and self.record else "CodeDeploy"

    @property
    def ended(self) -> bool:
        """Whether CodeDeploy shifts no more."""
        return self.status in _ENDED

    @property
    def stopped(self) -> bool:
        """Whether it was rolled back, while traffic shifted or in the bake."""
        return self.status in {"Failed", "Stopped"}

    @property
    def baking(self) -> bool:
        """Whether all traffic is on the new version, which is still watched."""
        return self.bake_began is not None and not self.ended

    @property
    def phase(self) -> str:
        """What it is in, or what it ended in: the shift or the bake."""
        return "bake" if self.bake_began else "shift"

    @property
    def stopped_for_an_alarm(self) -> bool:
        """Whether the judge ended the bake for an alarm, and not for its own verdict."""
        return (
            self.code == _HOOK_FAILED
            and self.bake_began is not None
            and self.record is not None
            and self.record.verdict not in {"rollback", "inconsistent"}
        )

    @property
    def interrupted(self) -> bool:
        """Whether CodeDeploy itself failed, so that nothing found the new version bad."""
        return self.stopped and bool(self.code) and self.code not in _FOUND_BAD

    @property
    def percent(self) -> float:
        """The new version's share of traffic when last looked at, in per cent."""
        return self.weights[-1][1] if self.weights else 0.0


def alarm_named(message: str) -> str | None:
    """The first alarm that CodeDeploy's `errorInformation` names, for code ALARM_ACTIVE."""
    found = _ACTIVATED.search(message)
    return found[1] if found else None


def alarm_that_went_off(items: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Name and reason of the last change to ALARM, out of DescribeAlarmHistory's items."""
    for item in sorted(items, key=lambda each: each["Timestamp"], reverse=True):
        new = json.loads(item.get("HistoryData") or "{}").get("newState") or {}
        if new.get("stateValue") == "ALARM":
            return item["AlarmName"], new.get("stateReason") or ""
    return None


class CanaryWatch:
    """Looks at the deployment that began in an environment while a stage ran."""

    def __init__(
        self, aws: Aws, what: Deployed, since: datetime, until: datetime | None = None
    ) -> None:
        self._aws = aws
        self._what = what
        self._began = {"start": since} | ({"end": until} if until else {})
        self._canary: Canary | None = None
        self._told = False

    def look(self) -> Canary | None:
        """The deployment as it is now; None until there is one."""
        if self._canary is None:
            self._canary = self._begun()
        elif not self._told:
            info = self._deployment(self._canary.deployment_id)
            self._canary = replace(
                self._canary, status=info["status"], completed=info.get("completeTime")
            )
        if self._canary is None or self._told:
            return self._canary
        self._canary = self._judged(self._weighed(self._canary))
        if self._canary.ended:
            self._canary = self._explained(self._canary)
            self._told = True
        return self._canary

    def settle(self) -> Canary | None:
        """A last look, when the stage has ended: where the alias came to rest, all requests."""
        canary = self.look()
        if canary is not None:
            self._canary = self._throttled(self._judged(self._weighed(canary)))
        return self._canary

    def _begun(self) -> Canary | None:
        codedeploy = self._aws.client("codedeploy", self._what.place)
        ids = codedeploy.list_deployments(
            applicationName=self._what.application,
            deploymentGroupName=self._what.deployment_group,
            createTimeRange=self._began,
        )["deployments"]
        infos = [self._deployment(each) for each in ids]
        mine = [each for each in infos if each.get("creator") != _ROLLBACK]
        if not mine:
            return None
        info = max(mine, key=lambda each: each["createTime"])
        deployment_id = info["deploymentId"]
        target = self._target(deployment_id)
        if target is None:
            return None
        shifted = target["lambdaFunctionInfo"]
        return Canary(
            environment=self._what.environment,
            deployment_id=deployment_id,
            status=info["status"],
            began=info.get("startTime") or info["createTime"],
            current_version=shifted["currentVersion"],
            target_version=shifted["targetVersion"],
            completed=info.get("completeTime"),
        )

    def _target(self, deployment_id: str) -> dict[str, Any] | None:
        """The one target of a deployment; None while it has none."""
        codedeploy = self._aws.client("codedeploy", self._what.place)
        targets = codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        if not targets:
            return None
        found = codedeploy.get_deployment_target(deploymentId=deployment_id, targetId=targets[0])
        target: dict[str, Any] = found["deploymentTarget"]["lambdaTarget"]
        return target

    def _baked(self, canary: Canary) -> Canary:
        """With the bake's beginning; an environment without a judge has no bake."""
        may_bake = canary.percent == 100 or canary.ended  # noqa: PLR2004  # per cent
        if canary.bake_began or not may_bake or self._what.decisions is None:
            return canary
        events = (self._target(canary.deployment_id) or {}).get("lifecycleEvents", [])
        began = next(
            (
                each.get("startTime")
                for each in events
                if each["lifecycleEventName"] == "AfterAllowTraffic"
            ),
            None,
        )
        return replace(canary, bake_began=began)

    def _deployment(self, deployment_id: str) -> dict[str, Any]:
        codedeploy = self._aws.client("codedeploy", self._what.place)
        info: dict[str, Any] = codedeploy.get_deployment(deploymentId=deployment_id)[
            "deploymentInfo"
        ]
        return info

    def _weighed(self, canary: Canary) -> Canary:
        # Lambda's own routing is what serves; CodeDeploy's target only repeats it.
        alias = self._aws.client("lambda", self._what.place).get_alias(
            FunctionName=self._what.function, Name=ALIAS
        )
        now = answered_at(alias)
        percent = round(100 * weights(alias).get(canary.target_version, 0.0), 3)
        seen = canary.weights
        if percent != (seen[-1][1] if seen else 0.0):
            passed = max(0.0, (now - canary.began).total_seconds())
            seen = (*seen, (passed, percent))
        weighed = self._baked(replace(canary, weights=seen))
        return replace(weighed, traffic=self._traffic(weighed, now))

    def _traffic(self, canary: Canary, now: datetime) -> Traffic:
        wanted = [
            (f"{metric.lower()}{index}", metric, version)
            for index, version in enumerate((canary.current_version, canary.target_version))
            for metric in ("Requests", "Failures")
        ]
        answer = self._aws.client("cloudwatch", self._what.place).get_metric_data(
            MetricDataQueries=[
                {
                    "Id": identifier,
                    "MetricStat": {
                        "Metric": {
                            "Namespace": NAMESPACE,
                            "MetricName": metric,
                            "Dimensions": [
                                {"Name": "service", "Value": SERVICE},
                                {"Name": "environment", "Value": canary.environment},
                                {"Name": "version", "Value": version},
                            ],
                        },
                        "Period": 60,
                        "Stat": "Sum",
                    },
                }
                for identifier, metric, version in wanted
            ],
            StartTime=_minute(canary.began),
            EndTime=_until(canary, now),
        )
        sums = {each["Id"]: int(sum(each["Values"])) for each in answer["MetricDataResults"]}
        return Traffic(
            requests=sums.get("requests0", 0) + sums.get("requests1", 0),
            failures=sums.get("failures0", 0) + sums.get("failures1", 0),
            canary_requests=sums.get("requests1", 0),
            canary_failures=sums.get("failures1", 0),
        )

    def _judged(self, canary: Canary) -> Canary:
        if self._what.decisions is None:
            return canary
        place, bucket = self._what.place, self._what.decisions
        judged = replace(canary, record=kept(self._aws, place, bucket, canary.deployment_id))
        if judged.record is None or not judged.refused or judged.condemned:
            return judged
        found = condemnation(self._aws, place, bucket, judged.record.version_digest)
        return replace(judged, condemned=found)

    def _throttled(self, canary: Canary) -> Canary:
        """Add the throttled requests to a stopped canary, as far as metrics have arrived."""
        if not canary.stopped or canary.refused or canary.completed is None:
            return canary
        function = self._what.function
        counted = throttles(
            self._aws.client("cloudwatch", self._what.place),
            function,
            _minute(canary.began),
            _until(canary, canary.completed),
        )
        return replace(canary, throttles=counted)

    def _explained(self, canary: Canary) -> Canary:
        if not canary.stopped:
            return canary
        info = self._deployment(canary.deployment_id)
        information = info.get("errorInformation") or {}
        reason = information.get("message") or ""
        code = information.get("code") or ""
        if code == _HOOK_FAILED and canary.record:
            reason = canary.record.sentence
        canary = replace(canary, code=code, reason=reason)
        if code != "ALARM_ACTIVE" and not canary.stopped_for_an_alarm:
            return canary
        named = alarm_named(reason)
        # The stack's rollback takes the version's alarms away; CloudWatch keeps their history.
        spoke, others = (
            [version_alarm_name(canary.environment, canary.target_version, each) for each in names]
            for names in (VERDICTS, (*RAILS, HEARTBEAT, BLIND, SYNTHETIC))
        )
        went_off = self._history([named] if named else spoke + others, canary.completed)
        name, reason = went_off or (named, reason)
        if canary.record and name in spoke:
            # The alarm tells which number it saw, and the judge what that was made of.
            reason = canary.record.sentence
        return replace(canary, stopped_by=name, reason=reason)

    def _history(self, alarms: list[str], until: datetime | None) -> tuple[str, str] | None:
        cloudwatch = self._aws.client("cloudwatch", self._what.place)
        window = {"EndDate": until + _MINUTE} if until else {}
        items: list[dict[str, Any]] = []
        for name in alarms:
            items += cloudwatch.describe_alarm_history(
                AlarmName=name, HistoryItemType="StateUpdate", **window
            )["AlarmHistoryItems"]
        return alarm_that_went_off(items)


def _minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


def _until(canary: Canary, now: datetime) -> datetime:
    """The end of the minutes in which traffic shifted, or until it was stopped in the bake."""
    ended = canary.completed if canary.stopped else canary.bake_began or canary.completed
    if ended is None:
        return now + _MINUTE
    last = _minute(ended)
    whole = not canary.stopped and last > _minute(canary.began)
    return last if whole else last + _MINUTE
