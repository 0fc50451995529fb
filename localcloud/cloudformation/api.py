"""The operations on stacks that the CDK CLI, CodePipeline and users need."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloudformation import schemas, shapes
from localcloud.cloudformation.change_set_api import ChangeSetApi
from localcloud.cloudformation.checks import check
from localcloud.cloudformation.model import StackStatusError
from localcloud.cloudformation.template import TemplateError, parse
from localcloud.core.service_api import ApiError

if TYPE_CHECKING:
    from localcloud.cloudformation.model import Stack, StackResource


class CloudFormationApi(ChangeSetApi):
    """The operations on stacks; `ChangeSetApi` has those on change sets."""

    def create_stack(self) -> ActionResult:
        """Create a stack directly, without a change set."""
        self._reject_unsupported()
        name = self.params["StackName"]
        if self.service.find(self.account, self.region, name):
            raise ApiError("AlreadyExistsException", f"Stack [{name}] already exists")
        return self._execute_directly(None, "CREATE")

    def update_stack(self) -> ActionResult:
        """Update a stack directly, without a change set."""
        self._reject_unsupported()
        stack = self._stack()
        self._check_updatable(stack)
        return self._execute_directly(stack, "UPDATE")

    def cancel_update_stack(self) -> ActionResult:
        """Cancel an update, which then rolls back."""
        stack = self._stack()
        if stack.status != "UPDATE_IN_PROGRESS":
            raise ApiError(
                "ValidationError",
                "CancelUpdateStack cannot be called from current stack status",
            )
        self.service.executions.cancel(stack)
        return EmptyResult()

    def continue_update_rollback(self) -> ActionResult:
        """Retry a rollback that failed."""
        self._reject_unsupported()
        skipped = list(self.params.get("ResourcesToSkip") or [])
        stack = self._stack()
        session_key = self._session_key(self._role_arn(stack))
        try:
            self.service.continue_rollback(stack, skipped, session_key)
        except StackStatusError as error:
            raise ApiError("ValidationError", str(error)) from error
        return EmptyResult()

    def delete_stack(self) -> ActionResult:
        """Delete a stack; return without error if it does not exist."""
        self._reject_unsupported()
        stack = self.service.find(self.account, self.region, self.params["StackName"])
        if stack is None:
            return EmptyResult()
        retained = list(self.params.get("RetainResources") or [])
        session_key = self._session_key(self._role_arn(stack))
        try:
            self.service.delete(stack, retained, session_key)
        except StackStatusError as error:
            raise ApiError("ValidationError", str(error)) from error
        return EmptyResult()

    def update_termination_protection(self) -> ActionResult:
        """Enable or disable a stack's termination protection."""
        stack = self._stack()
        stack.termination_protection = bool(self.params["EnableTerminationProtection"])
        self.service.records.save(stack)
        return ActionResult({"StackId": stack.id})

    def describe_stacks(self) -> ActionResult:
        """Return one stack, or all that are not deleted, in one page."""
        if self.params.get("StackName"):
            stacks = [self._stack()]
        else:
            stacks = [each for each in self._stacks() if each.status != "DELETE_COMPLETE"]
        return ActionResult({"Stacks": [shapes.stack_shape(stack) for stack in stacks]})

    def list_stacks(self) -> ActionResult:
        """List summaries of stacks, deleted ones included, in one page."""
        wanted = set(self.params.get("StackStatusFilter") or [])
        found = [each for each in self._stacks() if not wanted or each.status in wanted]
        return ActionResult({"StackSummaries": [shapes.summary_shape(each) for each in found]})

    def describe_stack_events(self) -> ActionResult:
        """Return a stack's events, newest first, in one page."""
        stack = self._stack()
        events = self.service.records.events(stack)
        return ActionResult({"StackEvents": [shapes.event_shape(stack, each) for each in events]})

    def describe_events(self) -> ActionResult:
        """Return a stack's events by the operation that the newer CLI calls."""
        if self.params.get("StackName"):
            stack = self._stack()
        else:
            stack = self.service.stacks[self._named_change_set().stack_id]
        failed_only = bool((self.params.get("Filters") or {}).get("FailedEvents"))
        events = [
            shapes.event_shape(stack, each) | {"EventType": "STACK_EVENT"}
            for each in self.service.records.events(stack)
            if not failed_only or each["ResourceStatus"].endswith("_FAILED")
        ]
        return ActionResult({"OperationEvents": events})

    def describe_stack_resources(self) -> ActionResult:
        """Return the resources of a stack."""
        if not self.params.get("StackName"):
            raise ApiError("ValidationError", "DescribeStackResources requires StackName")
        stack = self._stack()
        wanted = self.params.get("LogicalResourceId")
        found = [
            self._resource(stack, each)
            for each in list(stack.resources.values())
            if wanted in {None, each.logical_id}
        ]
        return ActionResult({"StackResources": found})

    def list_stack_resources(self) -> ActionResult:
        """List summaries of a stack's resources, in one page."""
        stack = self._stack()
        found = [self._resource(stack, each) for each in list(stack.resources.values())]
        return ActionResult({"StackResourceSummaries": found})

    def describe_stack_resource(self) -> ActionResult:
        """Return one resource; its metadata shows whether it is live or only recorded."""
        stack = self._stack()
        logical_id = self.params["LogicalResourceId"]
        resource = stack.resources.get(logical_id)
        if resource is None:
            raise ApiError(
                "ValidationError", f"Resource {logical_id} does not exist for stack {stack.name}"
            )
        return ActionResult({"StackResourceDetail": self._resource(stack, resource)})

    def get_template(self) -> ActionResult:
        """Return the current template of a stack, or the template of a change set.

        The template of a stack in review is empty.
        """
        if self.params.get("ChangeSetName"):
            body = self._named_change_set().template
        else:
            body = self._stack().template
        return ActionResult({"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]})

    def get_template_summary(self) -> ActionResult:
        """Return a template's description, parameters and resource types."""
        if self.params.get("StackName"):
            template = json.loads(self._stack().template)
        else:
            template = self._given()
        types = {each["Type"] for each in template.get("Resources", {}).values()}
        return ActionResult(
            {
                "Description": template.get("Description"),
                "Parameters": shapes.declared_parameters(template),
                "ResourceTypes": sorted(types),
            }
        )

    def validate_template(self) -> ActionResult:
        """Check a template; return its description and parameters."""
        template = self._given()
        declared = [
            {key: each[key] for key in ("ParameterKey", "DefaultValue", "Description", "NoEcho")}
            for each in shapes.declared_parameters(template)
        ]
        return ActionResult(
            {"Description": template.get("Description"), "Parameters": declared, "Capabilities": []}
        )

    def describe_type(self) -> ActionResult:
        """Return the schema of a resource type, with its handlers' permissions."""
        name = self.params.get("TypeName") or ""
        if not schemas.known(self.region, name):
            raise ApiError("TypeNotFoundException", f"The type '{name}' cannot be found.")
        resource = f"type/resource/{name.replace('::', '-')}"
        return ActionResult(
            {
                "Arn": f"arn:aws:cloudformation:{self.region}::{resource}",
                "Type": "RESOURCE",
                "TypeName": name,
                "Schema": json.dumps(schemas.schema(self.region, name)),
                "Visibility": "PUBLIC",
            }
        )

    def list_exports(self) -> ActionResult:
        """List the exports of the account in the region, in one page."""
        exports = self.service.exports.all(self.account, self.region)
        found = [
            {"Name": name, "Value": value, "ExportingStackId": stack.id}
            for name, (stack, value) in exports.items()
        ]
        return ActionResult({"Exports": found})

    def list_imports(self) -> ActionResult:
        """List the stacks that import an export."""
        name = self.params["ExportName"]
        owner = self.service.exports.all(self.account, self.region).get(name)
        users = self.service.exports.importers(owner[0], name) if owner else []
        if not users:
            raise ApiError("ValidationError", f"Export '{name}' is not imported by any stack.")
        return ActionResult({"Imports": users})

    def _execute_directly(self, stack: Stack | None, kind: str) -> ActionResult:
        change_set = self._plan_change_set(stack, f"direct-{uuid.uuid4()}", kind)
        stack = self.service.stacks[change_set.stack_id]
        if change_set.status == "FAILED":
            reason = change_set.reason
            self.service.forget(change_set)
            if kind == "CREATE":
                self.service.discard(stack)
            if reason.startswith("The submitted information"):
                reason = "No updates are to be performed."
            raise ApiError("ValidationError", reason)
        stack.termination_protection |= bool(self.params.get("EnableTerminationProtection"))
        self._execute(stack, change_set)
        return ActionResult({"StackId": stack.id})

    def _given(self) -> dict[str, Any]:
        try:
            template = parse(self._template(None))
            check(template, self.region, self.service.is_live)
        except TemplateError as error:
            raise ApiError("ValidationError", str(error)) from error
        return template

    def _stacks(self) -> list[Stack]:
        """Return the stacks of the account in the region, newest first."""
        mine = (self.account, self.region)
        found = [
            each
            for each in list(self.service.stacks.values())
            if (each.account, each.region) == mine
        ]
        return sorted(found, key=lambda stack: -stack.created)

    def _resource(self, stack: Stack, resource: StackResource) -> dict[str, Any]:
        return shapes.resource_shape(stack, resource, live=self.service.is_live(resource.type))
