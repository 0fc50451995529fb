"""The reader of a release's traffic shift: CodeDeploy, Lambda, metrics, records."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from console.aws.deployed import weights
from console.aws.request_counts import count_requests, count_throttles
from console.judge.records import condemnation, kept
from console.release.canary import HOOK_FAILED, Canary
from pipeline.gates.aws import answered_at
from pipeline.names import (
    ALIAS,
    BLIND,
    HEARTBEAT,
    RAILS,
    SYNTHETIC,
    VERDICTS,
    version_alarm_name,
)

if TYPE_CHECKING:
    from datetime import datetime

    from console.aws.account import Aws
    from console.aws.deployed import Deployed
    from console.aws.request_counts import RequestCounts

_ROLLBACK_CREATOR = "codeDeployRollback"
_ACTIVATED_ALARM = re.compile(r"Activated alarms: <?([^>,\s]+)")
_MINUTE = timedelta(minutes=1)


def alarm_named(message: str) -> str | None:
    """Return the first alarm that CodeDeploy's error message for ALARM_ACTIVE names."""
    found = _ACTIVATED_ALARM.search(message)
    return found[1] if found else None


def newest_alarm(items: list[dict[str, Any]]) -> tuple[str, str] | None:
    """Return name and reason of the newest change to ALARM in an alarm history."""
    for item in sorted(items, key=lambda each: each["Timestamp"], reverse=True):
        new = json.loads(item.get("HistoryData") or "{}").get("newState") or {}
        if new.get("stateValue") == "ALARM":
            return item["AlarmName"], new.get("stateReason") or ""
    return None


class CanaryWatch:
    """Reads the shift that began in an environment while a stage of an execution ran."""

    def __init__(
        self, aws: Aws, service: Deployed, since: datetime, until: datetime | None = None
    ) -> None:
        """Watch for a shift that begins between two times of the cloud's clock."""
        self._aws = aws
        self._service = service
        self._time_range = {"start": since} | ({"end": until} if until else {})
        self._canary: Canary | None = None
        self._has_cause = False

    def read(self) -> Canary | None:
        """Return the shift as it is now; None until there is one."""
        if self._canary is None:
            self._canary = self._find()
        elif not self._has_cause:
            info = self._deployment(self._canary.deployment_id)
            self._canary = replace(
                self._canary, status=info["status"], completed=info.get("completeTime")
            )
        if self._canary is None or self._has_cause:
            return self._canary
        self._canary = self._with_record(self._with_traffic(self._canary))
        if self._canary.ended:
            self._canary = self._with_cause(self._canary)
            self._has_cause = True
        return self._canary

    def read_final(self) -> Canary | None:
        """Return the shift after its stage has ended: final weights, and all requests."""
        canary = self.read()
        if canary is not None:
            self._canary = self._with_throttles(self._with_record(self._with_traffic(canary)))
        return self._canary

    def _find(self) -> Canary | None:
        """Return the newest deployment that began in the time range and is not a rollback."""
        codedeploy = self._aws.client("codedeploy", self._service.place)
        ids = codedeploy.list_deployments(
            applicationName=self._service.application,
            deploymentGroupName=self._service.deployment_group,
            createTimeRange=self._time_range,
        )["deployments"]
        infos = [self._deployment(each) for each in ids]
        shifts = [each for each in infos if each.get("creator") != _ROLLBACK_CREATOR]
        if not shifts:
            return None
        info = max(shifts, key=lambda each: each["createTime"])
        deployment_id = info["deploymentId"]
        target = self._target(deployment_id)
        if target is None:
            return None
        versions = target["lambdaFunctionInfo"]
        return Canary(
            environment=self._service.environment,
            deployment_id=deployment_id,
            status=info["status"],
            began=info.get("startTime") or info["createTime"],
            current_version=versions["currentVersion"],
            target_version=versions["targetVersion"],
            completed=info.get("completeTime"),
        )

    def _target(self, deployment_id: str) -> dict[str, Any] | None:
        """Return the only target of a deployment; None until it has one."""
        codedeploy = self._aws.client("codedeploy", self._service.place)
        targets = codedeploy.list_deployment_targets(deploymentId=deployment_id)["targetIds"]
        if not targets:
            return None
        found = codedeploy.get_deployment_target(deploymentId=deployment_id, targetId=targets[0])
        target: dict[str, Any] = found["deploymentTarget"]["lambdaTarget"]
        return target

    def _with_bake(self, canary: Canary) -> Canary:
        """Add the begin of the bake; an environment without a judge has no bake."""
        may_bake = canary.percent == 100 or canary.ended  # noqa: PLR2004  # per cent
        if canary.bake_began or not may_bake or self._service.decisions is None:
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
        codedeploy = self._aws.client("codedeploy", self._service.place)
        info: dict[str, Any] = codedeploy.get_deployment(deploymentId=deployment_id)[
            "deploymentInfo"
        ]
        return info

    def _with_traffic(self, canary: Canary) -> Canary:
        """Add the alias's weights, the begin of the bake, and the requests."""
        # Lambda's routing decides what serves; CodeDeploy's target is a copy of it.
        alias = self._aws.client("lambda", self._service.place).get_alias(
            FunctionName=self._service.function, Name=ALIAS
        )
        now = answered_at(alias)
        percent = round(100 * weights(alias).get(canary.target_version, 0.0), 3)
        changes = canary.weights
        if percent != (changes[-1][1] if changes else 0.0):
            seconds = max(0.0, (now - canary.began).total_seconds())
            changes = (*changes, (seconds, percent))
        shifted = self._with_bake(replace(canary, weights=changes))
        return replace(shifted, traffic=self._count_requests(shifted, now))

    def _count_requests(self, canary: Canary, now: datetime) -> RequestCounts:
        return count_requests(
            self._aws.client("cloudwatch", self._service.place),
            canary.environment,
            (canary.current_version, canary.target_version),
            _minute(canary.began),
            _end_of_counting(canary, now),
        )

    def _with_record(self, canary: Canary) -> Canary:
        """Add the judge's record, and the condemnation if the judge refused the version."""
        if self._service.decisions is None:
            return canary
        place, bucket = self._service.place, self._service.decisions
        record = kept(self._aws, place, bucket, canary.deployment_id)
        canary = replace(canary, record=record)
        if record is None or not canary.refused or canary.condemned:
            return canary
        found = condemnation(self._aws, place, bucket, record.version_digest)
        return replace(canary, condemned=found)

    def _with_throttles(self, canary: Canary) -> Canary:
        """Add the throttled requests of a stopped shift, if their metrics have arrived."""
        if not canary.stopped or canary.refused or canary.completed is None:
            return canary
        count = count_throttles(
            self._aws.client("cloudwatch", self._service.place),
            self._service.function,
            _minute(canary.began),
            _end_of_counting(canary, canary.completed),
        )
        return replace(canary, throttles=count)

    def _with_cause(self, canary: Canary) -> Canary:
        """Add what stopped the shift, and why."""
        if not canary.stopped:
            return canary
        info = self._deployment(canary.deployment_id)
        information = info.get("errorInformation") or {}
        reason = information.get("message") or ""
        code = information.get("code") or ""
        canary = replace(canary, code=code, reason=reason)
        if canary.record and (code == HOOK_FAILED or canary.stopped_by_judge):
            canary = replace(canary, reason=canary.record.sentence)
        if code != "ALARM_ACTIVE" and not canary.stopped_for_an_alarm:
            return canary
        named = alarm_named(reason)
        # The stack's rollback deletes the version's alarms; CloudWatch keeps their history.
        judge_alarms, other_alarms = (
            [version_alarm_name(canary.environment, canary.target_version, each) for each in names]
            for names in (VERDICTS, (*RAILS, HEARTBEAT, BLIND, SYNTHETIC))
        )
        alarms = [named] if named else judge_alarms + other_alarms
        name, reason = self._newest_alarm(alarms, canary.completed) or (named, reason)
        if canary.record and name in judge_alarms:
            # The alarm's reason has only a number; the judge's sentence has its evidence.
            reason = canary.record.sentence
        return replace(canary, stopped_by=name, reason=reason)

    def _newest_alarm(self, alarms: list[str], until: datetime | None) -> tuple[str, str] | None:
        cloudwatch = self._aws.client("cloudwatch", self._service.place)
        window = {"EndDate": until + _MINUTE} if until else {}
        items: list[dict[str, Any]] = []
        for name in alarms:
            items += cloudwatch.describe_alarm_history(
                AlarmName=name, HistoryItemType="StateUpdate", **window
            )["AlarmHistoryItems"]
        return newest_alarm(items)


def _minute(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


def _end_of_counting(canary: Canary, now: datetime) -> datetime:
    """Return the end of the last minute whose requests count for a shift."""
    ended = canary.completed if canary.stopped else canary.bake_began or canary.completed
    if ended is None:
        return now + _MINUTE
    last = _minute(ended)
    whole = not canary.stopped and last > _minute(canary.began)
    return last if whole else last + _MINUTE
