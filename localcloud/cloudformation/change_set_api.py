"""The operations on change sets that the CDK CLI, CodePipeline and users need."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult

from localcloud.cloudformation import limits, shapes
from localcloud.cloudformation.checks import check, missing_capability
from localcloud.cloudformation.lookups import Lookups
from localcloud.cloudformation.model import UPDATABLE_STATUSES, ChangeSet, Stack, StackStatusError
from localcloud.cloudformation.parameters import parameter_values
from localcloud.cloudformation.template import TemplateError, parse
from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.cloudformation.service import CloudFormation

_UNSUPPORTED = {
    "DeletionMode", "DeploymentConfig", "DeploymentMode", "DisableRollback", "ForceRollback",
    "NotificationARNs", "OnFailure", "OnStackFailure", "ResourceTypes", "ResourcesToImport",
    "RetainExceptOnCreate", "RollbackConfiguration", "StackPolicyBody", "StackPolicyURL",
    "StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL", "TimeoutInMinutes",
}  # fmt: skip
_DEFAULT_VALUES: tuple[Any, ...] = (
    "ROLLBACK",
    "STANDARD",
    {},
    {"Mode": "STANDARD"},
    {"Mode": "STANDARD", "DisableRollback": False},
)
"""Accepted values of unsupported parameters: they equal the default behavior.

`ImportExistingResources`, which `cdk bootstrap` always sets, is accepted and has no effect: a
resource whose name exists fails the stack.
"""


class ChangeSetApi(ServiceApi):
    """The operations on change sets, and the lookups that all operations share."""

    model: ClassVar[str] = "cloudformation"
    service: CloudFormation

    def create_change_set(self) -> ActionResult:
        """Create a change set, and its stack in REVIEW_IN_PROGRESS if it does not exist."""
        self._reject_unsupported()
        name, wanted = self.params["StackName"], self.params.get("ChangeSetType") or "UPDATE"
        if wanted not in {"CREATE", "UPDATE"}:
            raise ApiError(
                "ValidationError", f"ChangeSetType {wanted} is not part of the local cloud"
            )
        stack = self.service.find(self.account, self.region, name)
        called = self.params["ChangeSetName"]
        # For an update, a stack in review does not exist yet (boto3#2327).
        known = stack is not None and stack.status != "REVIEW_IN_PROGRESS"
        if wanted == "UPDATE" and not known:
            raise ApiError("ValidationError", f"Stack [{name}] does not exist")
        if stack and wanted == "CREATE" and stack.status != "REVIEW_IN_PROGRESS":
            raise ApiError(
                "ValidationError",
                f"Stack [{name}] already exists and cannot be created again with the changeSet "
                f"[{called}].",
            )
        if stack and wanted == "UPDATE":
            self._check_updatable(stack)
        if stack and self._change_set(stack, called):
            raise ApiError("AlreadyExistsException", f"ChangeSet {called} already exists")
        change_set = self._plan_change_set(stack, called, wanted)
        return ActionResult({"Id": change_set.id, "StackId": change_set.stack_id})

    def describe_change_set(self) -> ActionResult:
        """Return a change set with its changes."""
        return ActionResult(shapes.change_set_shape(self._named_change_set()))

    def list_change_sets(self) -> ActionResult:
        """List a stack's change sets without those that failed (aws-cdk#11995)."""
        stack = self._stack()
        mine = [
            each
            for each in self.service.change_sets.values()
            if each.stack_id == stack.id and each.execution_status != "EXECUTE_FAILED"
        ]
        return ActionResult({"Summaries": [shapes.change_set_summary(each) for each in mine]})

    def execute_change_set(self) -> ActionResult:
        """Execute a change set, once only (amazon-chime-sdk-js#1089)."""
        self._reject_unsupported()
        change_set = self._named_change_set()
        if change_set.status != "CREATE_COMPLETE":
            raise ApiError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current status of "
                f"[{change_set.status}]",
            )
        if change_set.execution_status != "AVAILABLE":
            raise ApiError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be executed in its current execution status "
                f"of [{change_set.execution_status}]",
            )
        self._execute(self.service.stacks[change_set.stack_id], change_set)
        return EmptyResult()

    def delete_change_set(self) -> ActionResult:
        """Delete a change set; only a missing stack is an error (ministack#1625)."""
        name = self.params.get("StackName") or ""
        stack = self.service.find(self.account, self.region, name)
        if name and stack is None:
            raise ApiError("ValidationError", f"Stack [{name}] does not exist")
        found = self._change_set(stack, self.params["ChangeSetName"])
        if found is not None:
            if found.execution_status == "EXECUTE_IN_PROGRESS":
                raise ApiError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{found.id}] cannot be deleted in its current status of "
                    f"[{found.execution_status}]",
                )
            self.service.forget(found)
        return EmptyResult()

    def _execute(self, stack: Stack, change_set: ChangeSet) -> None:
        session_key = self._session_key(change_set.role_arn)
        try:
            self.service.execute(stack, change_set, session_key)
        except StackStatusError as error:
            raise ApiError("ValidationError", str(error)) from error

    def _plan_change_set(self, stack: Stack | None, name: str, kind: str) -> ChangeSet:
        """Plan a change set and store it; create nothing if AWS rejects the template."""
        role_arn = self._role_arn(stack)
        session_key = self._session_key(role_arn)
        before = stack.parameters if stack else {}
        try:
            if stack is None:
                limits.check_stack_name(self.params["StackName"])
            limits.check_tags(len(self.params.get("Tags") or []))
            template = parse(self._template(stack))
            check(template, self.region, self.service.is_live)
            values = parameter_values(template, self.params.get("Parameters") or [], before)
            self.service.planner.check_conditional_references(
                stack or Stack("", self.params["StackName"], self.account, self.region, "", 0.0),
                template,
                values,
                session_key,
            )
        except TemplateError as error:
            raise ApiError("ValidationError", str(error)) from error
        capabilities = list(self.params.get("Capabilities") or [])
        missing = missing_capability(template, capabilities)
        if missing:
            raise ApiError(
                "InsufficientCapabilitiesException", f"Requires capabilities : [{missing}]"
            )
        self._check_quotas(stack)
        if stack is None:
            stack = self._new_stack()
        change_set = ChangeSet(
            id=f"arn:aws:cloudformation:{self.region}:{self.account}:changeSet/{name}/{uuid.uuid4()}",
            name=name,
            stack_id=stack.id,
            stack_name=stack.name,
            type=kind,
            status="CREATE_IN_PROGRESS",
            execution_status="UNAVAILABLE",
            created=self.service.core.clock.timestamp(),
            template=json.dumps(template),
            parameters=values,
            tags={tag["Key"]: tag["Value"] for tag in self.params.get("Tags") or []},
            capabilities=capabilities,
            role_arn=role_arn,
            session_key=session_key,
            description=self.params.get("Description") or "",
        )
        self.service.plan(stack, change_set)
        return change_set

    def _check_quotas(self, stack: Stack | None) -> None:
        """Raise if the account has its maximum of stacks, or the stack of change sets."""
        quotas = self.service.quotas
        if stack is None:
            place = (self.account, self.region)
            held = [
                each
                for each in list(self.service.stacks.values())
                if (each.account, each.region) == place and each.status != "DELETE_COMPLETE"
            ]
            if len(held) >= quotas.stacks:  # AWS's text: aws-amplify/amplify-cli#2467
                raise ApiError("LimitExceededException", "Limit for stack has been exceeded")
            return
        sets = list(self.service.change_sets.values())
        if sum(each.stack_id == stack.id for each in sets) >= quotas.change_sets:
            # AWS's text, as quoted in awslabs/seed-farmer#441 and aws/copilot-cli#5614.
            raise ApiError(
                "LimitExceededException", f"ChangeSet limit exceeded for stack {stack.id}"
            )

    def _new_stack(self) -> Stack:
        try:
            return self.service.new_stack(self.account, self.region, self.params["StackName"])
        except StackStatusError as error:
            raise ApiError("AlreadyExistsException", str(error)) from error

    def _template(self, stack: Stack | None) -> str:
        if self.params.get("TemplateBody"):
            limits.check_inline(str(self.params["TemplateBody"]))
            return str(self.params["TemplateBody"])
        if self.params.get("TemplateURL"):
            session = self.service.core.credentials.session(self.caller.access_key)
            lookups = Lookups(self.service.core.client, self.account, self.region, session)
            return lookups.template(self.params["TemplateURL"])
        if stack is not None and self.params.get("UsePreviousTemplate"):
            return stack.template
        raise ApiError("ValidationError", "Either Template URL or Template Body must be specified.")

    def _role_arn(self, stack: Stack | None) -> str:
        """Return the service role of the request, or else of the stack."""
        return self.params.get("RoleARN") or (stack.role_arn if stack else "")

    def _session_key(self, role_arn: str) -> str:
        try:
            return self.service.session_key(role_arn, self.caller)
        except StackStatusError as error:
            raise ApiError("ValidationError", str(error)) from error

    def _reject_unsupported(self) -> None:
        """Reject a request with a parameter that is not supported."""
        for name in sorted(_UNSUPPORTED & self.params.keys()):
            if self.params[name] and self.params[name] not in _DEFAULT_VALUES:
                raise ApiError(
                    "ValidationError",
                    f"{name} of {self._get_action()} is not part of the local cloud",
                )

    def _check_updatable(self, stack: Stack) -> None:
        if stack.status not in UPDATABLE_STATUSES:
            raise ApiError(
                "ValidationError",
                f"Stack:{stack.id} is in {stack.status} state and can not be updated.",
            )

    def _stack(self) -> Stack:
        name = self.params["StackName"]
        stack = self.service.find(self.account, self.region, name)
        if stack is None:
            raise ApiError("ValidationError", f"Stack with id {name} does not exist")
        return stack

    def _named_change_set(self) -> ChangeSet:
        stack = self._stack() if self.params.get("StackName") else None
        found = self._change_set(stack, self.params["ChangeSetName"])
        if found is None:
            raise ApiError(
                "ChangeSetNotFound", f"ChangeSet [{self.params['ChangeSetName']}] does not exist"
            )
        return found

    def _change_set(self, stack: Stack | None, name: str) -> ChangeSet | None:
        for change_set in list(self.service.change_sets.values()):
            mine = stack is not None and change_set.stack_id == stack.id
            # A change set whose execution failed is found only by its ARN; by its name AWS
            # returns "ChangeSet [NAME] does not exist" (aws-cdk#11995, aws-cdk#21677).
            named = change_set.name == name and change_set.execution_status != "EXECUTE_FAILED"
            if change_set.id == name or (mine and named):
                return change_set
        return None
