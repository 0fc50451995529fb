"""The roles of the platform's stacks, their policies, and the actions they used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from console.access.statements import Grant, grants
from console.errors import ConsoleError
from pipeline.names import BOOTSTRAP_STACK, STACK, service_stack, support_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.aws.account import Aws, Place
    from environments.schema import Environment, Home

_ROLE = "AWS::IAM::Role"
_MANAGED_BY_AWS = "arn:aws:iam::aws:policy/"


@dataclass(frozen=True)
class Role:
    """A role of one of the platform's stacks.

    Attributes:
        logical_id: the role's logical id in the template of `stack`.
        policies: documents of inline and customer managed policies, by name.
        managed: documents of AWS managed policies, by name.
        used: the actions that the role was allowed, sorted.
    """

    name: str
    arn: str
    stack: str
    logical_id: str
    policies: Mapping[str, Mapping[str, Any]]
    managed: Mapping[str, Mapping[str, Any]]
    used: tuple[str, ...]

    @property
    def account(self) -> str:
        """Twelve digits."""
        return self.arn.split(":")[4]

    @property
    def grants(self) -> list[Grant]:
        """The grants of the role's policies; an AWS managed policy is one grant."""
        managed = [
            Grant(name, "all of it", ("*",), _used_of(document, self.used))
            for name, document in self.managed.items()
        ]
        return [*grants(self.policies, self.used), *managed]


def roles(aws: Aws, home: Home, environments: Mapping[str, Environment]) -> Iterator[Role]:
    """Yield the roles of all deployed stacks, by account and stack.

    Raises:
        ConsoleError: an account cannot be read.
    """
    stacks: dict[tuple[str, str, str], Place] = {}
    for stack, place in _stacks(home, environments):
        stacks.setdefault((place.account, place.region, stack), place)
    for (_, _, stack), place in stacks.items():
        yield from _roles_of(aws, place, stack)


def _stacks(home: Home, environments: Mapping[str, Environment]) -> Iterator[tuple[str, Place]]:
    yield STACK, home
    yield BOOTSTRAP_STACK, home
    for name, environment in environments.items():
        if environment.region != home.region:
            support = _SupportPlace(home.account, environment.region)
            yield support_stack(environment.region), support
        yield service_stack(name), environment
        yield BOOTSTRAP_STACK, environment


@dataclass(frozen=True)
class _SupportPlace:
    account: str
    region: str


def _roles_of(aws: Aws, place: Place, stack: str) -> Iterator[Role]:
    cloudformation, iam = aws.client("cloudformation", place), aws.client("iam", place)
    pages = cloudformation.get_paginator("list_stack_resources")
    try:
        found = [
            each
            for page in pages.paginate(StackName=stack)
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == _ROLE and each.get("PhysicalResourceId")
        ]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return
        raise
    for each in found:
        name = each["PhysicalResourceId"]
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        yield Role(
            name,
            arn,
            stack,
            each["LogicalResourceId"],
            dict(_own_policies(iam, name)),
            dict(_managed_policies(iam, name)),
            tuple(_used(iam, arn)),
        )


def _own_policies(iam: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=name):
        for policy in page["PolicyNames"]:
            found = iam.get_role_policy(RoleName=name, PolicyName=policy)
            yield policy, found["PolicyDocument"]
    for attached in _attached(iam, name):
        if not attached["PolicyArn"].startswith(_MANAGED_BY_AWS):
            yield attached["PolicyName"], _document(iam, attached["PolicyArn"])


def _managed_policies(iam: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for attached in _attached(iam, name):
        if attached["PolicyArn"].startswith(_MANAGED_BY_AWS):
            yield attached["PolicyName"], _document(iam, attached["PolicyArn"])


def _attached(iam: Any, name: str) -> Iterator[Mapping[str, str]]:
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=name):
        yield from page["AttachedPolicies"]


def _document(iam: Any, arn: str) -> Mapping[str, Any]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    document: Mapping[str, Any] = found["Document"]
    return document


def _used_of(document: Mapping[str, Any], used: tuple[str, ...]) -> tuple[str, ...]:
    found = {each for grant in grants({"": document}, used) for each in grant.used}
    return tuple(sorted(found))


def _used(iam: Any, arn: str) -> Iterator[str]:
    """Yield the actions in IAM's last accessed information of a role."""
    job = iam.generate_service_last_accessed_details(Arn=arn, Granularity="ACTION_LEVEL")["JobId"]
    found = iam.get_service_last_accessed_details(JobId=job)
    if found["JobStatus"] != "COMPLETED":
        raise ConsoleError(
            f"{arn}: IAM's last accessed information is {found['JobStatus']}. Run the command again"
        )
    for service in found["ServicesLastAccessed"]:
        for action in service.get("TrackedActionsLastAccessed", []):
            if action.get("LastAccessedTime"):
                yield f"{service['ServiceNamespace']}:{action['ActionName']}"
