"""Providers of `AWS::Events::*` and `AWS::Scheduler::*`."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from localcloud.core.providers import ProvisioningError, Resource
from localcloud.eventbridge import definitions, execution_roles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.core.providers import Provider, ResourceRequest
    from localcloud.eventbridge.model import Rule, Schedule
    from localcloud.iam.access import Access

_RULE = {
    "Name", "Description", "EventBusName", "EventPattern", "ScheduleExpression", "State",
    "Targets", "RoleArn", "Tags",
}  # fmt: skip
_UNSUPPORTED_TYPES = (
    "AWS::Events::ApiDestination", "AWS::Events::Archive", "AWS::Events::Connection",
    "AWS::Events::Endpoint", "AWS::Events::EventBus", "AWS::Events::EventBusPolicy",
    "AWS::Pipes::Pipe", "AWS::Scheduler::ScheduleGroup",
)  # fmt: skip


T = TypeVar("T")


@dataclass(frozen=True)
class Kept(Generic[T]):
    """The rules or the schedules of EventBridge, and what changes them."""

    by_key: Mapping[str, T]
    """By account, region and name."""
    put: Callable[[T], None]
    delete: Callable[[str, str, str], None]
    """Called with account, region and name."""


class RuleProvider:
    """Provider of `AWS::Events::Rule` with its targets."""

    def __init__(self, access: Access, rules: Kept[Rule]) -> None:
        self._access = access
        self._rules = rules

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """A new name or bus needs replacement."""
        return any(
            request.properties.get(name) != current.properties.get(name)
            for name in ("Name", "EventBusName")
        )

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(request, request.properties.get("Name") or request.generated_name())

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._rules.delete(request.account, request.region, current.physical_id)

    def _put(self, request: ResourceRequest, name: str) -> Resource:
        properties = request.properties
        unknown = sorted(properties.keys() - _RULE)
        if unknown:
            raise ProvisioningError(
                f"AWS::Events::Rule: property {unknown[0]} is not part of the local cloud"
            )
        pattern = properties.get("EventPattern")
        wanted = properties | {
            "Name": name,
            "EventPattern": json.dumps(pattern) if isinstance(pattern, dict) else pattern,
        }
        before = self._rules.by_key.get(f"{request.account}/{request.region}/{name}")
        now = self._access.core.clock.timestamp()
        try:
            rule = definitions.rule(request.account, request.region, wanted, now, before)
            # The template replaces all of the rule's targets.
            rule = definitions.with_targets(
                replace(rule, targets=[]),
                [_target(each) for each in properties.get("Targets") or []],
            )
            execution_roles.check_rule(self._access, rule)
        except definitions.DefinitionError as error:
            raise ProvisioningError(f"{error} (Service: EventBridge)") from error
        self._rules.put(rule)
        return Resource(name, {"Arn": rule.arn}, properties)


class ScheduleProvider:
    """Provider of `AWS::Scheduler::Schedule`."""

    def __init__(self, access: Access, schedules: Kept[Schedule]) -> None:
        self._access = access
        self._schedules = schedules

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Only a new name needs replacement."""
        return bool(request.properties.get("Name") != current.properties.get("Name"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        return self._put(request, request.properties.get("Name") or request.generated_name())

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        return self._put(request, current.physical_id)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        self._schedules.delete(request.account, request.region, current.physical_id)

    def _put(self, request: ResourceRequest, name: str) -> Resource:
        wanted = request.properties | {
            "Name": name,
            "Target": _target(request.properties["Target"]),
        }
        for date in ("StartDate", "EndDate"):
            if wanted.get(date):
                wanted[date] = datetime.fromisoformat(wanted[date]).timestamp()
        before = self._schedules.by_key.get(f"{request.account}/{request.region}/{name}")
        now = self._access.core.clock.timestamp()
        try:
            schedule = definitions.schedule(request.account, request.region, wanted, now, before)
            execution_roles.check_schedule(self._access, schedule)
            self._schedules.put(schedule)
        except definitions.DefinitionError as error:
            raise ProvisioningError(f"{error} (Service: Scheduler)") from error
        return Resource(name, {"Arn": schedule.arn}, request.properties)


class UnsupportedProvider:
    """Rejects a type that the local cloud does not support."""

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:  # noqa: ARG002  # the port's own signature
        """See `Provider.replaces`; no resource exists."""
        return False

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        raise ProvisioningError(f"{request.type} is not part of the local cloud")

    def update(self, request: ResourceRequest, current: Resource) -> Resource:  # noqa: ARG002  # the port's own signature
        """See `Provider.update`."""
        return self.create(request)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`; no resource exists."""


def providers(access: Access, rules: Kept[Rule], schedules: Kept[Schedule]) -> dict[str, Provider]:
    """Return every provider by its type's name."""
    made: dict[str, Provider] = {
        "AWS::Events::Rule": RuleProvider(access, rules),
        "AWS::Scheduler::Schedule": ScheduleProvider(access, schedules),
    }
    refused = UnsupportedProvider()
    return made | dict.fromkeys(_UNSUPPORTED_TYPES, refused)


def _target(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a target to the API's types; templates may write numbers as strings."""
    target = dict(properties)
    if "RetryPolicy" in target:
        target["RetryPolicy"] = {name: int(value) for name, value in target["RetryPolicy"].items()}
    return target
