"""CloudFormation: stacks, their change sets, and what they give one another."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING, Any

from localcloud.cloudformation import parameters as template_parameters
from localcloud.cloudformation.access_policies import QueuePolicyProvider, TopicPolicyProvider
from localcloud.cloudformation.api import CloudFormationApi
from localcloud.cloudformation.buckets import BucketPolicyProvider, BucketProvider
from localcloud.cloudformation.changes import NO_CHANGES, Plan
from localcloud.cloudformation.checks import check_rules
from localcloud.cloudformation.executions import Executions
from localcloud.cloudformation.intrinsics import Resolver
from localcloud.cloudformation.lookups import Lookups
from localcloud.cloudformation.made_by_moto import MotoProvider
from localcloud.cloudformation.model import SETTLED, ChangeSet, Stack, StackStatusError
from localcloud.cloudformation.permissions import SESSION_NAME, Permissions
from localcloud.cloudformation.recorded import RecordedProvider
from localcloud.cloudformation.records import Records
from localcloud.cloudformation.roles import RoleProvider
from localcloud.cloudformation.stored_parameters import ParameterProvider
from localcloud.cloudformation.template import TemplateError, parse
from localcloud.cloudformation.template_rules import check_secure_references, check_wanted
from localcloud.resources import Claimant, ResourceRequest
from localcloud.restoring import restored_on_error
from localcloud.roles import RoleError, assume_service_role

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.api import ServiceApi
    from localcloud.cloud import Cloud
    from localcloud.cloudformation.model import StackResource
    from localcloud.credentials import Caller
    from localcloud.resources import Provider, Resource


class CloudFormation:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {"cloudformation": CloudFormationApi}
        self._recorded = RecordedProvider()
        self._moto = MotoProvider(cloud)
        self.providers: dict[str, Provider] = {
            "AWS::IAM::Role": RoleProvider(cloud),
            "AWS::S3::Bucket": BucketProvider(cloud),
            "AWS::S3::BucketPolicy": BucketPolicyProvider(cloud),
            "AWS::SNS::TopicPolicy": TopicPolicyProvider(cloud),
            "AWS::SQS::QueuePolicy": QueuePolicyProvider(cloud),
            "AWS::SSM::Parameter": ParameterProvider(cloud),
        }
        self._acting: dict[str, Provider] = {}
        self._lock = threading.RLock()
        self.records = Records(cloud.ledger, cloud.clock)
        self.permissions = Permissions(cloud)
        self.executions = Executions(self)
        self.stacks: dict[str, Stack] = {}
        """By stack id; those that are deleted stay."""
        self.change_sets: dict[str, ChangeSet] = {}

    def register(self, providers: dict[str, Provider]) -> None:
        """Take the providers of all services."""
        self._acting = providers

    def start(self) -> None:
        """Read back every stack, and take up what was under way.

        It starts as the last of all services: their providers know their resources by now.
        """
        self.stacks = {stack.id: stack for stack in self.records.stacks()}
        self.change_sets = {each.id: each for each in self.records.change_sets()}
        for stack in list(self.stacks.values()):
            if stack.in_progress:
                self._adopt(stack)
                self.executions.resume(stack)

    def stop(self) -> None:
        """Leave what is under way where it is."""
        self.executions.stop()

    def acts(self, type_name: str) -> bool:
        """Whether something acts behind resources of this type, or they are only recorded."""
        return type_name in self._acting or self._moto.makes(type_name)

    def provider(self, type_name: str) -> Provider:
        """Who makes resources of the type."""
        if type_name in self._acting:
            return self._acting[type_name]
        return self._moto if self._moto.makes(type_name) else self._recorded

    def find(self, account: str, region: str, name: str) -> Stack | None:
        """The stack of a name that is not deleted, or of an id."""
        return next(
            (
                stack
                for stack in list(self.stacks.values())
                if (stack.account, stack.region) == (account, region)
                and (stack.id == name or (stack.name == name and stack.status != "DELETE_COMPLETE"))
            ),
            None,
        )

    def new_stack(self, account: str, region: str, name: str) -> Stack:
        """A stack that has nothing yet, in review.

        Raises:
            StackStatusError: there is one already.
        """
        with self._lock:
            if self.find(account, region, name):
                raise StackStatusError(f"Stack [{name}] already exists")
            stack_id = f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid.uuid4()}"
            now = self.cloud.clock.timestamp()
            stack = Stack(stack_id, name, account, region, "REVIEW_IN_PROGRESS", now)
            self.set_status(stack, "REVIEW_IN_PROGRESS", "User Initiated")
            self.stacks[stack_id] = stack
        return stack

    def resolver(
        self,
        stack: Stack,
        template: dict[str, Any],
        values: dict[str, str],
        made: dict[str, Resource],
        session_key: str,
        importing: Callable[[str], object] = lambda _name: None,
    ) -> Resolver:
        """Resolves the template's functions in the stack's place; `made` may still grow.

        Stored parameters and secrets are read with the session of a key; `importing` is called
        with the name of each export that is used.

        Raises:
            TemplateError: a parameter's value is not in the Parameter Store.
        """
        account, region = stack.account, stack.region
        session = self.cloud.credentials.session(session_key)
        lookups = Lookups(self.cloud, account, region, session)

        def imported(name: str) -> str:
            found = self.exports(account, region).get(name)
            if found is None:
                raise TemplateError(f"No export named {name} found.")
            importing(name)
            return found[1]

        return Resolver(
            template,
            parameters=template_parameters.typed(template, values, lookups.parameter),
            pseudo={
                "AWS::AccountId": account,
                "AWS::Region": region,
                "AWS::Partition": "aws",
                "AWS::URLSuffix": "amazonaws.com",
                "AWS::StackId": stack.id,
                "AWS::StackName": stack.name,
                "AWS::NotificationARNs": [],
            },
            resources=made,
            dynamic=lookups.dynamic,
            imported=imported,
            gateway=self.cloud.gateway_endpoint,
            kept=_kept(stack, template, values),
        )

    def check_wanted(
        self, stack: Stack, template: dict[str, Any], values: dict[str, str], session_key: str
    ) -> None:
        """Check what a template's conditions leave of it, by the values of its parameters.

        Raises:
            TemplateError: as `template_rules.check_wanted`; or from `resolver`.
        """
        resolver = self.resolver(stack, template, values, {}, session_key)
        check_wanted(template, resolver.holds, resolver.condition)

    def plan(self, stack: Stack, change_set: ChangeSet) -> None:
        """Work out a change set and store it; a failure is its status, as on AWS."""
        change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
        try:
            template = parse(change_set.template)
            made = {name: each.made() for name, each in stack.resources.items()}
            resolver = self.resolver(
                stack, template, change_set.parameters, made, change_set.session_key
            )
            check_secure_references(template["Resources"])
            check_rules(template, resolver)
            plan = Plan(stack, resolver, made, self.provider, _asked_of(stack))
            change_set.changes = plan.changes(template)
        except TemplateError as error:
            change_set.reason = str(error)
        else:
            same_outputs = json.loads(stack.template).get("Outputs") == template.get("Outputs")
            same_tags = change_set.tags == stack.tags
            if not change_set.changes and stack.resources and same_outputs and same_tags:
                change_set.reason = NO_CHANGES
            else:
                change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
        self.save(change_set)

    def save(self, change_set: ChangeSet) -> None:
        """Make a change set durable."""
        self.records.save_change_set(change_set)
        self.change_sets[change_set.id] = change_set

    def forget(self, change_set: ChangeSet) -> None:
        """Delete a change set."""
        self.records.forget_change_set(change_set)
        self.change_sets.pop(change_set.id, None)

    def session_key(self, role_arn: str, caller: Caller) -> str:
        """The access key of the session that an operation works with.

        It is one of the service role, or else the caller's; "" for an administrator.

        Raises:
            StackStatusError: CloudFormation cannot assume the role.
        """
        if not role_arn:
            own = self.cloud.credentials.session(caller.access_key)
            return own.access_key if own else ""
        try:
            return assume_service_role(
                self.cloud, role_arn, "cloudformation.amazonaws.com", SESSION_NAME
            ).access_key
        except RoleError as error:
            raise StackStatusError(f"Role {role_arn} is invalid or cannot be assumed") from error

    def execute(self, stack: Stack, change_set: ChangeSet, session_key: str) -> None:
        """Begin to carry a change set out; `DescribeStacks` tells how it goes.

        The stack keeps the change set's role, also for its deletion ("AWS CloudFormation service
        role"). The stack's other change sets are void, and are deleted.

        Raises:
            StackStatusError: the stack is not in a status for it.
        """
        with self._lock:
            if stack.status not in SETTLED | {"REVIEW_IN_PROGRESS"}:
                raise StackStatusError(
                    f"Stack:{stack.id} is in {stack.status} state and can not be updated."
                )
            verb = "CREATE" if stack.status == "REVIEW_IN_PROGRESS" else "UPDATE"
            void = [
                each
                for each in list(self.change_sets.values())
                if each.stack_id == stack.id and each is not change_set
            ]
            with restored_on_error(stack, change_set), self.cloud.ledger.transaction():
                change_set.execution_status = "EXECUTE_IN_PROGRESS"
                stack.change_set_id = change_set.id
                stack.role_arn, stack.session_key = change_set.role_arn, session_key
                for other in void:
                    self.records.forget_change_set(other)
                self.records.save_change_set(change_set)
                self.records.status(stack, f"{verb}_IN_PROGRESS", "User Initiated")
            for other in void:
                self.change_sets.pop(other.id, None)
            self._publish(stack)
        self.executions.carry_out(stack, change_set, verb)

    def continue_rollback(self, stack: Stack, skipped: list[str], session_key: str) -> None:
        """Try again to go back from an update; resources that are skipped stay as they are.

        Raises:
            StackStatusError: the stack is not in UPDATE_ROLLBACK_FAILED.
        """
        with self._lock:
            if stack.status != "UPDATE_ROLLBACK_FAILED":
                raise StackStatusError(
                    f"Stack:{stack.id} is in {stack.status} state and can not continue its "
                    "rollback."
                )
            steps = [each for each in self.records.steps(stack) if each.logical_id in skipped]
            self.records.forget(stack, steps)
            stack.session_key = session_key
            self.set_status(stack, "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
        self.executions.roll_back(stack)

    def forget_all(self, stack: Stack) -> None:
        """Delete a stack's change sets, as its deletion does (ministack#1418)."""
        for change_set in list(self.change_sets.values()):
            if change_set.stack_id == stack.id:
                self.forget(change_set)

    def discard(self, stack: Stack) -> None:
        """Have a stack in review never have been."""
        self.records.discard(stack)
        self.stacks.pop(stack.id, None)

    def delete(self, stack: Stack, retained: list[str], session_key: str) -> None:
        """Begin to delete a stack, all but the resources that are to be retained.

        Raises:
            StackStatusError: it is protected or being updated, or nothing of it failed to go.
        """
        with self._lock:
            if stack.termination_protection:
                raise StackStatusError(
                    f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            if stack.status in {"DELETE_IN_PROGRESS", "DELETE_COMPLETE"}:
                return
            if stack.in_progress and not stack.status.startswith(("CREATE", "ROLLBACK")):
                raise StackStatusError(
                    f"Stack [{stack.name}] cannot be deleted while in status {stack.status}"
                )
            if retained and stack.status != "DELETE_FAILED":
                raise StackStatusError(
                    "Invalid operation on stack. RetainResources can be specified only for stacks "
                    "in the DELETE_FAILED state"
                )
            for logical_id in stack.resources.keys() & set(retained):
                stack.resources[logical_id].deletion_policy = "Retain"
                self.records.keep(stack, stack.resources[logical_id])
            stack.session_key = session_key
            if not stack.in_progress:
                self.set_status(stack, "DELETE_IN_PROGRESS", "User Initiated")
        self.executions.delete(stack)

    def set_status(self, stack: Stack, status: str, reason: str = "") -> None:
        """Record a stack's status as state and as event, and tell the bus."""
        self.records.status(stack, status, reason)
        self._publish(stack)

    def _publish(self, stack: Stack) -> None:
        self.cloud.bus.publish(
            stack.account,
            stack.region,
            "aws.cloudformation",
            "CloudFormation Stack Status Change",
            {
                "stack-id": stack.id,
                "status-details": {"status": stack.status, "status-reason": stack.reason},
            },
            (stack.id,),
        )

    def outputs(
        self, stack: Stack, template: dict[str, Any], resolver: Resolver
    ) -> list[dict[str, Any]]:
        """The outputs of a stack that was brought to a template.

        Raises:
            TemplateError: an export is another stack's, or one in use would change.
        """
        outputs = []
        exports = self.exports(stack.account, stack.region)
        for key, definition in template.get("Outputs", {}).items():
            if not resolver.holds(definition):
                continue
            output = {"OutputKey": key, "OutputValue": str(resolver.value(definition["Value"]))}
            if "Description" in definition:
                output["Description"] = definition["Description"]
            if "Export" in definition:
                name = output["ExportName"] = str(resolver.value(definition["Export"]["Name"]))
                owner, value = exports.get(name, (stack, output["OutputValue"]))
                if owner is not stack:
                    raise TemplateError(
                        f"Export with name {name} is already exported by stack {owner.name}."
                    )
                if value != output["OutputValue"] and (users := self.importers(stack, name)):
                    raise TemplateError(
                        f"Export {name} cannot be updated as it is in use by {', '.join(users)}"
                    )
            outputs.append(output)
        used = self.used_exports(stack, {each.get("ExportName", "") for each in outputs})
        if used:
            raise TemplateError(used)
        return outputs

    def used_exports(self, stack: Stack, kept: set[str]) -> str | None:
        """Why exports other than those that are kept cannot go, or None when they can."""
        for output in stack.outputs:
            name = output.get("ExportName")
            if name and name not in kept and (users := self.importers(stack, name)):
                return f"Export {name} cannot be deleted as it is in use by {', '.join(users)}"
        return None

    def importers(self, stack: Stack, export: str) -> list[str]:
        """The names of the stacks that use an export of this one."""
        return sorted(
            other.name
            for other in list(self.stacks.values())
            if (other.account, other.region) == (stack.account, stack.region)
            and other.status != "DELETE_COMPLETE"
            and export in other.imports
        )

    def exports(self, account: str, region: str) -> dict[str, tuple[Stack, str]]:
        """Every export's stack and value."""
        return {
            output["ExportName"]: (stack, output["OutputValue"])
            for stack in list(self.stacks.values())
            if (stack.account, stack.region) == (account, region)
            and stack.status != "DELETE_COMPLETE"
            for output in stack.outputs
            if "ExportName" in output
        }

    def _adopt(self, stack: Stack) -> None:
        """Find what was made when the last process ended before it could record it."""
        for resource in stack.resources.values():
            provider = self.provider(resource.type)
            if not resource.physical_id and isinstance(provider, Claimant):
                resource.physical_id = provider.unclaimed(stack.id, resource.logical_id)


def _kept(stack: Stack, template: dict[str, Any], values: dict[str, str]) -> frozenset[str]:
    """The services whose dynamic references an update does not read anew, of resources that stay.

    A template that is deployed again as it is reads none anew (cloudformation-coverage-roadmap#844,
    ministack#1647).
    """
    same = json.loads(stack.template) == template and stack.parameters == values
    return frozenset({"secretsmanager", "ssm"} if same else {"secretsmanager"})


def _asked_of(stack: Stack) -> Callable[[StackResource, dict[str, Any]], ResourceRequest]:
    def asked(resource: StackResource, properties: dict[str, Any]) -> ResourceRequest:
        return ResourceRequest(
            type=resource.type,
            logical_id=resource.logical_id,
            account=stack.account,
            region=stack.region,
            stack_name=stack.name,
            stack_id=stack.id,
            properties=properties,
            cancel=threading.Event(),
        )

    return asked
