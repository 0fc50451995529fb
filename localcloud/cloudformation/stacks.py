"""Stacks and change sets: found, planned, kept, and their status published."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from localcloud.cloudformation.bucket_providers import BucketPolicyProvider, BucketProvider
from localcloud.cloudformation.exports import Exports
from localcloud.cloudformation.model import ChangeSet, Stack, StackStatusError
from localcloud.cloudformation.moto_provider import MotoProvider
from localcloud.cloudformation.parameter_provider import ParameterProvider
from localcloud.cloudformation.permissions import SESSION_NAME, Permissions
from localcloud.cloudformation.planner import Planner
from localcloud.cloudformation.policy_providers import QueuePolicyProvider, TopicPolicyProvider
from localcloud.cloudformation.recorded_provider import RecordedProvider
from localcloud.cloudformation.records import Records
from localcloud.cloudformation.role_provider import RoleProvider
from localcloud.iam.service_roles import RoleError, assume_service_role

if TYPE_CHECKING:
    from localcloud.core.core import Core
    from localcloud.core.credentials import Caller
    from localcloud.core.providers import Provider
    from localcloud.core.quotas import Quotas
    from localcloud.iam.access import Access
    from localcloud.moto.journal import Journal


class Stacks:
    """The stacks and change sets of the local cloud, and what creates their resources."""

    def __init__(
        self, core: Core, access: Access, quotas: Quotas, journal: Journal, gateway_endpoint: str
    ) -> None:
        self.core = core
        self.quotas = quotas
        self._access = access
        self._recorded = RecordedProvider()
        self._moto = MotoProvider(access, journal)
        self.providers: dict[str, Provider] = {
            "AWS::IAM::Role": RoleProvider(core.client, access.propagation),
            "AWS::S3::Bucket": BucketProvider(core.client),
            "AWS::S3::BucketPolicy": BucketPolicyProvider(core.client),
            "AWS::SNS::TopicPolicy": TopicPolicyProvider(core.client),
            "AWS::SQS::QueuePolicy": QueuePolicyProvider(core.client),
            "AWS::SSM::Parameter": ParameterProvider(core.client),
        }
        self._service_providers: dict[str, Provider] = {}
        self._lock = threading.RLock()
        self.records = Records(core.ledger, core.clock)
        self.permissions = Permissions(core.credentials, access)
        self.stacks: dict[str, Stack] = {}
        """Stacks by id, deleted ones included."""
        self.exports = Exports(self.stacks)
        self.planner = Planner(
            core.client, core.credentials, gateway_endpoint, self.exports, self.provider
        )
        self.change_sets: dict[str, ChangeSet] = {}

    def register(self, providers: dict[str, Provider]) -> None:
        """Register the providers of all services."""
        self._service_providers = providers

    def is_live(self, type_name: str) -> bool:
        """Whether resources of the type are live, not only recorded."""
        return type_name in self._service_providers or self._moto.makes(type_name)

    def provider(self, type_name: str) -> Provider:
        """Return the provider of a resource type."""
        if type_name in self._service_providers:
            return self._service_providers[type_name]
        return self._moto if self._moto.makes(type_name) else self._recorded

    def find(self, account: str, region: str, name: str) -> Stack | None:
        """Return the stack with an id, or the one with a name that is not deleted."""
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
        """Create an empty stack in REVIEW_IN_PROGRESS.

        Raises:
            StackStatusError: a stack of this name exists.
        """
        with self._lock:
            if self.find(account, region, name):
                raise StackStatusError(f"Stack [{name}] already exists")
            stack_id = f"arn:aws:cloudformation:{region}:{account}:stack/{name}/{uuid.uuid4()}"
            now = self.core.clock.timestamp()
            stack = Stack(stack_id, name, account, region, "REVIEW_IN_PROGRESS", now)
            self.set_status(stack, "REVIEW_IN_PROGRESS", "User Initiated")
            self.stacks[stack_id] = stack
        return stack

    def plan(self, stack: Stack, change_set: ChangeSet) -> None:
        """Plan a change set and store it; a failure becomes its status, as on AWS."""
        self.planner.plan(stack, change_set)
        self.save(change_set)

    def save(self, change_set: ChangeSet) -> None:
        """Write a change set to the ledger."""
        self.records.save_change_set(change_set)
        self.change_sets[change_set.id] = change_set

    def forget(self, change_set: ChangeSet) -> None:
        """Delete a change set."""
        self.records.forget_change_set(change_set)
        self.change_sets.pop(change_set.id, None)

    def forget_all(self, stack: Stack) -> None:
        """Delete a stack's change sets after its deletion, as AWS does (ministack#1418)."""
        for change_set in list(self.change_sets.values()):
            if change_set.stack_id == stack.id:
                self.forget(change_set)

    def discard(self, stack: Stack) -> None:
        """Remove a stack in review as if it had never existed."""
        self.records.discard(stack)
        self.stacks.pop(stack.id, None)

    def session_key(self, role_arn: str, caller: Caller) -> str:
        """Return the access key of an operation's session.

        The session is the service role's, or else the caller's; "" for an administrator.

        Raises:
            StackStatusError: CloudFormation cannot assume the role, or it is in another account.
        """
        if not role_arn:
            own = self.core.credentials.session(caller.access_key)
            return own.access_key if own else ""
        if role_arn.split(":")[4:5] != [caller.account]:
            raise StackStatusError("Cross-account pass role is not allowed.")
        try:
            return assume_service_role(
                self._access, role_arn, "cloudformation.amazonaws.com", SESSION_NAME
            ).access_key
        except RoleError as error:
            raise StackStatusError(f"Role {role_arn} is invalid or cannot be assumed") from error

    def set_status(self, stack: Stack, status: str, reason: str = "") -> None:
        """Record a stack's status with an event, and publish it on the event bus."""
        self.records.status(stack, status, reason)
        self._publish(stack)

    def _publish(self, stack: Stack) -> None:
        self.core.bus.publish(
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
