"""The CloudFormation API, as far as the CDK CLI, CodePipeline and people use it."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.api import ApiError, ServiceApi
from localcloud.cloudformation.model import SETTLED, ChangeSet
from localcloud.cloudformation.template import TemplateError, parse

if TYPE_CHECKING:
    from localcloud.cloudformation.model import Stack, StackResource
    from localcloud.cloudformation.service import CloudFormation

_NEEDS_IAM = {"AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::User", "AWS::IAM::ManagedPolicy"}


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


class CloudFormationApi(ServiceApi):
    """Stacks and change sets."""

    service: ClassVar[str] = "cloudformation"

    @property
    def _service(self) -> CloudFormation:
        return self.cloud.cloudformation

    def create_change_set(self) -> ActionResult:
        """Plan a change; the stack is made if it does not exist (`REVIEW_IN_PROGRESS`)."""
        name, wanted = self.params["StackName"], self.params.get("ChangeSetType") or "UPDATE"
        stack = self._service.find(self.account, self.region, name)
        self._role()
        if stack is None:
            if wanted != "CREATE":
                raise ApiError("ValidationError", f"Stack [{name}] does not exist")
            stack = self._service.new_stack(self.account, self.region, name, "REVIEW_IN_PROGRESS")
        elif wanted == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
            raise ApiError(
                "ValidationError",
                f"Stack [{name}] already exists and cannot be created again with the changeSet "
                f"[{self.params['ChangeSetName']}].",
            )
        elif wanted == "UPDATE" and stack.status not in SETTLED:
            raise ApiError(
                "ValidationError",
                f"Stack:{stack.id} is in {stack.status} state and can not be updated.",
            )
        if self._change_set(stack, self.params["ChangeSetName"], missing_ok=True):
            raise ApiError(
                "AlreadyExistsException",
                f"ChangeSet {self.params['ChangeSetName']} already exists",
            )
        change_set = self._planned(stack, self.params["ChangeSetName"], wanted)
        return ActionResult({"Id": change_set.id, "StackId": stack.id})

    def describe_change_set(self) -> ActionResult:
        """A change set with its changes."""
        change_set = self._named_change_set()
        return ActionResult(
            {
                "ChangeSetId": change_set.id,
                "ChangeSetName": change_set.name,
                "StackId": change_set.stack_id,
                "StackName": change_set.stack_name,
                "Description": change_set.description,
                "Parameters": _parameters(change_set.parameters),
                "Tags": _tags(change_set.tags),
                "Capabilities": change_set.capabilities,
                "CreationTime": _time(change_set.created),
                "Status": change_set.status,
                "StatusReason": change_set.reason or None,
                "ExecutionStatus": change_set.execution_status,
                "Changes": change_set.changes,
                "IncludeNestedStacks": False,
            }
        )

    def list_change_sets(self) -> ActionResult:
        """The change sets of a stack."""
        stack = self._stack()
        found = [
            {
                "ChangeSetId": each.id,
                "ChangeSetName": each.name,
                "StackId": each.stack_id,
                "StackName": each.stack_name,
                "Status": each.status,
                "StatusReason": each.reason,
                "ExecutionStatus": each.execution_status,
                "CreationTime": _time(each.created),
            }
            for each in self._service.change_sets.values()
            if each.stack_id == stack.id
        ]
        return ActionResult({"Summaries": found})

    def execute_change_set(self) -> ActionResult:
        """Carry a change set out."""
        change_set = self._named_change_set()
        if change_set.execution_status != "AVAILABLE":
            raise ApiError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of "
                f"[{change_set.status}]",
            )
        stack = self._service.stacks[change_set.stack_id]
        if stack.status.endswith("_IN_PROGRESS") and stack.status != "REVIEW_IN_PROGRESS":
            raise ApiError(
                "ValidationError",
                f"Stack:{stack.id} is in {stack.status} state and can not be updated.",
            )
        self._service.execute(stack, change_set)
        return EmptyResult()

    def delete_change_set(self) -> ActionResult:
        """Forget a change set; one that is not there is no error."""
        stack = self._service.find(self.account, self.region, self.params.get("StackName") or "")
        found = self._change_set(stack, self.params["ChangeSetName"], missing_ok=True)
        if found is not None:
            self._service.forget(found)
        return EmptyResult()

    def create_stack(self) -> ActionResult:
        """Create a stack without a change set of one's own."""
        name = self.params["StackName"]
        if self._service.find(self.account, self.region, name):
            raise ApiError("AlreadyExistsException", f"Stack [{name}] already exists")
        self._role()
        self._template(None)  # a template that cannot be read makes no stack
        stack = self._service.new_stack(self.account, self.region, name, "REVIEW_IN_PROGRESS")
        return self._at_once(stack, "CREATE")

    def update_stack(self) -> ActionResult:
        """Update a stack without a change set of one's own."""
        stack = self._stack()
        if stack.status not in SETTLED:
            raise ApiError(
                "ValidationError",
                f"Stack:{stack.id} is in {stack.status} state and can not be updated.",
            )
        self._role()
        return self._at_once(stack, "UPDATE")

    def cancel_update_stack(self) -> ActionResult:
        """Stop an update; it is rolled back."""
        stack = self._stack()
        if stack.status != "UPDATE_IN_PROGRESS":
            raise ApiError(
                "ValidationError",
                "CancelUpdateStack cannot be called from current stack status",
            )
        self._service.cancel(stack)
        return EmptyResult()

    def delete_stack(self) -> ActionResult:
        """Delete a stack; one that is not there is no error."""
        stack = self._service.find(self.account, self.region, self.params["StackName"])
        if stack is None or stack.status == "DELETE_COMPLETE":
            return EmptyResult()
        if stack.termination_protection:
            raise ApiError(
                "ValidationError",
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled",
            )
        self._service.delete(stack)
        return EmptyResult()

    def update_termination_protection(self) -> ActionResult:
        """Protect a stack from deletion, or no longer."""
        stack = self._stack()
        stack.termination_protection = bool(self.params["EnableTerminationProtection"])
        self._service.set_status(stack, stack.status, stack.reason)
        return ActionResult({"StackId": stack.id})

    def describe_stacks(self) -> ActionResult:
        """One stack, or all that are not deleted."""
        if self.params.get("StackName"):
            stacks = [self._stack()]
        else:
            stacks = [
                stack
                for stack in self._service.stacks.values()
                if (stack.account, stack.region) == (self.account, self.region)
                and stack.status != "DELETE_COMPLETE"
            ]
        return ActionResult({"Stacks": [_stack(stack) for stack in stacks]})

    def list_stacks(self) -> ActionResult:
        """Summaries of stacks, deleted ones included."""
        wanted = set(self.params.get("StackStatusFilter") or [])
        found = [
            {
                "StackId": stack.id,
                "StackName": stack.name,
                "StackStatus": stack.status,
                "CreationTime": _time(stack.created),
            }
            for stack in self._service.stacks.values()
            if (stack.account, stack.region) == (self.account, self.region)
            and (not wanted or stack.status in wanted)
        ]
        return ActionResult({"StackSummaries": found})

    def describe_stack_events(self) -> ActionResult:
        """What happened, newest first."""
        stack = self._stack()
        return ActionResult({"StackEvents": self._events(stack)})

    def describe_events(self) -> ActionResult:
        """The same, as the operation that the newer CLI asks."""
        stack = self._stack()
        return ActionResult({"OperationEvents": self._events(stack)})

    def describe_stack_resources(self) -> ActionResult:
        """The resources of a stack."""
        stack = self._stack()
        wanted = self.params.get("LogicalResourceId")
        found = [
            self._resource(stack, each)
            for each in stack.resources.values()
            if wanted in {None, each.logical_id}
        ]
        return ActionResult({"StackResources": found})

    def list_stack_resources(self) -> ActionResult:
        """The resources of a stack, in short."""
        stack = self._stack()
        return ActionResult(
            {
                "StackResourceSummaries": [
                    {
                        "LogicalResourceId": each.logical_id,
                        "PhysicalResourceId": each.physical_id,
                        "ResourceType": each.type,
                        "ResourceStatus": each.status,
                        "LastUpdatedTimestamp": _time(each.timestamp),
                    }
                    for each in stack.resources.values()
                ]
            }
        )

    def describe_stack_resource(self) -> ActionResult:
        """One resource; its metadata says whether it is live or only recorded."""
        stack = self._stack()
        logical_id = self.params["LogicalResourceId"]
        if logical_id not in stack.resources:
            raise ApiError(
                "ValidationError", f"Resource {logical_id} does not exist for stack {stack.name}"
            )
        return ActionResult(
            {"StackResourceDetail": self._resource(stack, stack.resources[logical_id])}
        )

    def get_template(self) -> ActionResult:
        """The template that the stack was last brought to; empty while it is in review."""
        return ActionResult(
            {"TemplateBody": self._stack().template, "StagesAvailable": ["Original", "Processed"]}
        )

    def get_template_summary(self) -> ActionResult:
        """What a template declares."""
        if self.params.get("StackName"):
            template = json.loads(self._stack().template)
        else:
            template = parse(self._template(None))
        return ActionResult(
            {
                "Parameters": [
                    {
                        "ParameterKey": name,
                        "DefaultValue": each.get("Default"),
                        "ParameterType": each["Type"],
                    }
                    for name, each in template.get("Parameters", {}).items()
                ],
                "ResourceTypes": sorted({each["Type"] for each in template["Resources"].values()}),
            }
        )

    def validate_template(self) -> ActionResult:
        """Whether a template can be read."""
        parse(self._template(None))
        return ActionResult({"Parameters": [], "Capabilities": []})

    def list_exports(self) -> ActionResult:
        """Every export of the account's region."""
        exports = self._service.exports(self.account, self.region)
        return ActionResult(
            {
                "Exports": [
                    {"Name": name, "Value": value, "ExportingStackId": stack.id}
                    for name, (stack, value) in exports.items()
                ]
            }
        )

    def _at_once(self, stack: Stack, kind: str) -> ActionResult:
        change_set = self._planned(stack, f"direct-{uuid.uuid4()}", kind)
        if change_set.status == "FAILED":
            message = change_set.reason
            self._service.forget(change_set)
            if message.startswith("The submitted information"):
                message = "No updates are to be performed."
            raise ApiError("ValidationError", message)
        self._service.execute(stack, change_set)
        return ActionResult({"StackId": stack.id})

    def _planned(self, stack: Stack, name: str, kind: str) -> ChangeSet:
        text = self._template(stack)
        try:
            template = parse(text)
            values = self._service.parameters(stack, template, self.params.get("Parameters") or [])
        except TemplateError as error:
            raise ApiError("ValidationError", str(error)) from error
        capabilities = list(self.params.get("Capabilities") or [])
        types = {each["Type"] for each in template["Resources"].values()}
        if types & _NEEDS_IAM and not set(capabilities) & {
            "CAPABILITY_IAM",
            "CAPABILITY_NAMED_IAM",
        }:
            raise ApiError(
                "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_IAM]"
            )
        change_set = ChangeSet(
            id=f"arn:aws:cloudformation:{self.region}:{self.account}:changeSet/{name}/{uuid.uuid4()}",
            name=name,
            stack_id=stack.id,
            stack_name=stack.name,
            type=kind,
            status="CREATE_IN_PROGRESS",
            execution_status="UNAVAILABLE",
            created=self.cloud.clock.timestamp(),
            template=json.dumps(template),
            parameters=values,
            tags={tag["Key"]: tag["Value"] for tag in self.params.get("Tags") or []},
            capabilities=capabilities,
            role_arn=self.params.get("RoleARN") or "",
            description=self.params.get("Description") or "",
        )
        self._service.plan(stack, change_set)
        return change_set

    def _template(self, stack: Stack | None) -> str:
        if self.params.get("TemplateBody"):
            return str(self.params["TemplateBody"])
        if self.params.get("TemplateURL"):
            try:
                return self._service.fetch(self.account, self.region, self.params["TemplateURL"])
            except TemplateError as error:
                raise ApiError("ValidationError", str(error)) from error
        if stack is not None and self.params.get("UsePreviousTemplate"):
            return stack.template
        raise ApiError("ValidationError", "Either Template URL or Template Body must be specified.")

    def _role(self) -> None:
        role_arn = self.params.get("RoleARN")
        if not role_arn:
            return
        iam = self.cloud.client("iam", role_arn.split(":")[4], self.region)
        try:
            iam.get_role(RoleName=role_arn.rsplit("/", 1)[-1])
        except iam.exceptions.NoSuchEntityException as error:
            raise ApiError(
                "ValidationError", f"Role {role_arn} is invalid or cannot be assumed"
            ) from error

    def _stack(self) -> Stack:
        name = self.params["StackName"]
        stack = self._service.find(self.account, self.region, name)
        if stack is None:
            raise ApiError("ValidationError", f"Stack with id {name} does not exist")
        return stack

    def _named_change_set(self) -> ChangeSet:
        stack = None
        if self.params.get("StackName"):
            stack = self._stack()
        found = self._change_set(stack, self.params["ChangeSetName"], missing_ok=False)
        assert found is not None  # noqa: S101  # or it was raised
        return found

    def _change_set(self, stack: Stack | None, name: str, *, missing_ok: bool) -> ChangeSet | None:
        for change_set in list(self._service.change_sets.values()):
            mine = stack is not None and change_set.stack_id == stack.id
            if change_set.id == name or (mine and change_set.name == name):
                return change_set
        if missing_ok:
            return None
        raise ApiError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")

    def _events(self, stack: Stack) -> list[dict[str, Any]]:
        return [
            event
            | {
                "StackId": stack.id,
                "StackName": stack.name,
                "Timestamp": _time(event["Timestamp"]),
                "ResourceStatusReason": event["ResourceStatusReason"] or None,
            }
            for event in self._service.events(stack)
        ]

    def _resource(self, stack: Stack, resource: StackResource) -> dict[str, Any]:
        kind = "live" if self._service.acts(resource.type) else "recorded"
        return {
            "StackName": stack.name,
            "StackId": stack.id,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            "ResourceStatus": resource.status,
            "ResourceStatusReason": resource.reason or None,
            "Timestamp": _time(resource.timestamp),
            "LastUpdatedTimestamp": _time(resource.timestamp),
            "Metadata": json.dumps({"localcloud": kind}),
        }


def _parameters(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"ParameterKey": key, "ParameterValue": str(value)} for key, value in values.items()]


def _tags(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _stack(stack: Stack) -> dict[str, Any]:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason or None,
        "CreationTime": _time(stack.created),
        "LastUpdatedTime": _time(stack.updated) if stack.updated else None,
        "Parameters": _parameters(stack.parameters),
        "Outputs": stack.outputs,
        "Tags": _tags(stack.tags),
        "Capabilities": stack.capabilities,
        "RoleARN": stack.role_arn or None,
        "ChangeSetId": stack.change_set_id or None,
        "EnableTerminationProtection": stack.termination_protection,
        "DisableRollback": False,
        "NotificationARNs": [],
    }
