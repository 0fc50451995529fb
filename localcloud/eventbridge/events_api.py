"""The EventBridge API of the default bus."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.core.service_api import ApiError, ServiceApi
from localcloud.eventbridge import definitions, execution_roles, patterns
from localcloud.eventbridge.definitions import DefinitionError
from localcloud.eventbridge.model import timestamp

if TYPE_CHECKING:
    from localcloud.eventbridge.model import Rule
    from localcloud.eventbridge.service import Schedules

_MAX_REQUEST_BYTES = 256 * 1024  # bytes of all entries of a call
_MAX_ENTRIES = 10


class EventsApi(ServiceApi):
    """Operations on rules, targets and events."""

    model: ClassVar[str] = "events"
    service: Schedules

    def put_rule(self) -> ActionResult:
        """Create or change a rule."""
        before = self.service.rules.get(self._key(self.params["Name"]))
        now = self.service.core.clock.timestamp()
        try:
            rule = definitions.rule(self.account, self.region, self.params, now, before)
            execution_roles.check_rule(self.service.access, rule)
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error
        self.service.put_rule(rule)
        return ActionResult({"RuleArn": rule.arn})

    def delete_rule(self) -> ActionResult:
        """Delete a rule without targets."""
        self._bus()
        rule = self.service.rules.get(self._key(self.params["Name"]))
        if rule is not None and rule.targets:
            raise ApiError("ValidationException", "Rule can't be deleted since it has targets.")
        self.service.delete_rule(self.account, self.region, self.params["Name"])
        return EmptyResult()

    def describe_rule(self) -> ActionResult:
        """Return a rule."""
        return ActionResult(_described(self._rule("Name")) | {"CreatedBy": self.account})

    def list_rules(self) -> ActionResult:
        """Return rules by prefix."""
        self._bus()
        prefix = self._key(self.params.get("NamePrefix") or "")
        rules = self.service.rules
        return ActionResult(
            {"Rules": [_described(rules[key]) for key in sorted(rules) if key.startswith(prefix)]}
        )

    def list_rule_names_by_target(self) -> ActionResult:
        """Return the names of the rules with a target."""
        self._bus()
        arn, prefix = self.params["TargetArn"], self._key("")
        return ActionResult(
            {
                "RuleNames": [
                    rule.name
                    for key, rule in sorted(self.service.rules.items())
                    if key.startswith(prefix) and any(each["Arn"] == arn for each in rule.targets)
                ]
            }
        )

    def enable_rule(self) -> ActionResult:
        """Enable a rule."""
        return self._set_state("ENABLED")

    def disable_rule(self) -> ActionResult:
        """Disable a rule."""
        return self._set_state("DISABLED")

    def put_targets(self) -> ActionResult:
        """Add or change targets of a rule."""
        given = [_without_none(each) for each in self.params["Targets"]]
        try:
            rule = definitions.with_targets(self._rule("Rule"), given)
            execution_roles.check_rule(self.service.access, rule)
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error
        self.service.put_rule(rule)
        return ActionResult({"FailedEntryCount": 0, "FailedEntries": []})

    def remove_targets(self) -> ActionResult:
        """Remove targets from a rule."""
        rule = self._rule("Rule")
        gone = set(self.params["Ids"])
        kept = [each for each in rule.targets if each["Id"] not in gone]
        self.service.put_rule(replace(rule, targets=kept))
        missing = gone - {each["Id"] for each in rule.targets}
        return ActionResult(
            {
                "FailedEntryCount": len(missing),
                "FailedEntries": [
                    {
                        "TargetId": each,
                        "ErrorCode": "ResourceNotFoundException",
                        "ErrorMessage": f"Rule {rule.name} does not have a target {each}.",
                    }
                    for each in sorted(missing)
                ],
            }
        )

    def list_targets_by_rule(self) -> ActionResult:
        """Return a rule's targets."""
        return ActionResult({"Targets": self._rule("Rule").targets})

    def put_events(self) -> ActionResult:
        """Accept events; their deliveries are in the ledger before the answer."""
        entries = self.params["Entries"]
        if len(entries) > _MAX_ENTRIES:
            raise ApiError("ValidationException", "Entries must have at most 10 members.")
        size = sum(
            len(str(each.get(name) or "").encode())
            for each in entries
            for name in ("Source", "DetailType", "Detail")
        )
        if size > _MAX_REQUEST_BYTES:
            raise ApiError(
                "ValidationException", "Total size of the entries in the request is over the limit."
            )
        results = [self._put_event(each) for each in entries]
        failed = sum("ErrorCode" in each for each in results)
        return ActionResult({"FailedEntryCount": failed, "Entries": results})

    def test_event_pattern(self) -> ActionResult:
        """Return whether a pattern matches an event."""
        try:
            pattern = definitions.event_pattern(self.params["EventPattern"])
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error
        try:
            event = json.loads(self.params["Event"])
        except ValueError as error:
            raise ApiError("ValidationException", "Parameter Event is not valid.") from error
        return ActionResult({"Result": patterns.matches(pattern, event)})

    def list_event_buses(self) -> ActionResult:
        """Return the default bus."""
        prefix = self.params.get("NamePrefix") or ""
        buses = [{"Name": "default", "Arn": self._bus_arn()}]
        return ActionResult({"EventBuses": buses if "default".startswith(prefix) else []})

    def describe_event_bus(self) -> ActionResult:
        """Return the default bus."""
        self._bus(self.params.get("Name"))
        return ActionResult({"Name": "default", "Arn": self._bus_arn()})

    def _put_event(self, entry: dict[str, Any]) -> dict[str, Any]:
        missing = [name for name in ("Source", "DetailType", "Detail") if not entry.get(name)]
        if missing:
            return _failed("InvalidArgument", f"Parameter {missing[0]} is not valid. "
                           f"Reason: {missing[0]} is a required argument.")  # fmt: skip
        if entry["Source"].startswith("aws."):
            return _failed(
                "NotAuthorizedForSourceException",
                f"Not authorized for the source {entry['Source']}.",
            )
        try:
            detail = json.loads(entry["Detail"])
            definitions.bus(entry.get("EventBusName"))
        except DefinitionError as error:
            return _failed(error.code, str(error))
        except ValueError:
            detail = None
        if not isinstance(detail, dict):
            return _failed("MalformedDetail", "Detail is malformed.")
        clock = self.service.core.clock
        time = clock.of_wall(_seconds(entry["Time"])) if entry.get("Time") else clock.timestamp()
        event = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": entry["DetailType"],
            "source": entry["Source"],
            "account": self.account,
            "time": timestamp(time),
            "region": self.region,
            "resources": entry.get("Resources") or [],
            "detail": detail,
        }
        self.service.accept(self.account, self.region, event)
        return {"EventId": event["id"]}

    def _set_state(self, state: str) -> ActionResult:
        self.service.put_rule(replace(self._rule("Name"), state=state))
        return EmptyResult()

    def _rule(self, parameter: str) -> Rule:
        self._bus()
        name = self.params[parameter]
        found = self.service.rules.get(self._key(name))
        if found is None:
            raise ApiError(
                "ResourceNotFoundException",
                f"Rule {name} does not exist on EventBus default.",
            )
        return found

    def _bus(self, name: str | None = None) -> None:
        try:
            definitions.bus(name or self.params.get("EventBusName"))
        except DefinitionError as error:
            raise ApiError(error.code, str(error)) from error

    def _bus_arn(self) -> str:
        return f"arn:aws:events:{self.region}:{self.account}:event-bus/default"

    def _key(self, name: str) -> str:
        return f"{self.account}/{self.region}/{name}"


def _described(rule: Rule) -> dict[str, Any]:
    return _without_none(
        {
            "Name": rule.name,
            "Arn": rule.arn,
            "EventPattern": rule.pattern or None,
            "ScheduleExpression": rule.schedule or None,
            "State": rule.state,
            "Description": rule.description or None,
            "RoleArn": rule.role_arn or None,
            "EventBusName": "default",
        }
    )


def _failed(code: str, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _seconds(time: Any) -> float:
    return float(time.timestamp()) if hasattr(time, "timestamp") else float(time)


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}
