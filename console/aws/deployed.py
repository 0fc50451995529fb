"""The service deployed in an environment, and the versions that serve there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.names import ALIAS, service_stack

if TYPE_CHECKING:
    from console.aws.account import Aws, Place


@dataclass(frozen=True)
class Deployed:
    """The physical names of the service's resources in an environment's stack."""

    environment: str
    place: Place
    function: str
    application: str
    """CodeDeploy's application."""
    deployment_group: str
    url: str
    stack_status: str = ""
    """CloudFormation's status when the stack was read, such as UPDATE_COMPLETE."""
    decisions: str | None = None
    """The bucket of the judge's records; None if the environment has no judge."""


@dataclass(frozen=True)
class Serving:
    """The versions that the alias routes requests to."""

    version: str
    """The alias's main version: it serves the share that no other version has."""
    commit: str | None
    """The main version's commit; None if it cannot be read."""
    weights: dict[str, float] = field(default_factory=dict)
    """Shares (0 to 1) by version; their sum is 1."""
    commits: dict[str, str | None] = field(default_factory=dict)
    """The commit of each version that has a share; None if it cannot be read."""

    @property
    def stable(self) -> Serving:
        """The main version alone, without the canary of a shift in progress."""
        return Serving(self.version, self.commit, {self.version: 1.0}, {self.version: self.commit})

    @property
    def description(self) -> str:
        """Such as `version 3 of commit c0ffeec`; with shares if there are several."""
        shares = {version: share for version, share in self.weights.items() if share}
        parts = []
        for version, share in shares.items():
            percent = f" ({share:.0%})" if len(shares) > 1 else ""
            commit = (self.commits[version] or "unknown")[:7]
            parts.append(f"version {version} of commit {commit}{percent}")
        return " and ".join(parts)


def deployed(aws: Aws, environment: str, place: Place) -> Deployed | None:
    """Return an environment's service; None until its stack has an alias."""
    cloudformation = aws.client("cloudformation", place)
    stack = service_stack(environment)
    try:
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described.get("Outputs", [])}
    resources = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    alias = _physical_id(resources, "AWS::Lambda::Alias")
    group = _physical_id(resources, "AWS::CodeDeploy::DeploymentGroup")
    if alias is None or group is None:
        return None
    return Deployed(
        environment=environment,
        place=place,
        function=alias.split(":")[6],  # arn:aws:lambda:REGION:ACCOUNT:function:NAME:ALIAS
        application=_physical_id(resources, "AWS::CodeDeploy::Application") or "",
        deployment_group=group,
        url=outputs.get("Url", ""),
        stack_status=described["StackStatus"],
        decisions=outputs.get("Decisions"),
    )


def serving(aws: Aws, service: Deployed) -> Serving:
    """Read the versions that the alias routes requests to now, and their commits."""
    functions = aws.client("lambda", service.place)
    alias = functions.get_alias(FunctionName=service.function, Name=ALIAS)
    version = alias["FunctionVersion"]
    shares = weights(alias)
    commits = {each: commit_of(aws, service, each) for each, share in shares.items() if share}
    return Serving(version, commits.get(version), shares, commits)


def weights(alias: dict[str, Any]) -> dict[str, float]:
    """Return the share (0 to 1) of each version in GetAlias's answer."""
    routed = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    rest = round(1 - sum(routed.values()), 6)
    return {alias["FunctionVersion"]: rest, **routed}


def commit_of(aws: Aws, service: Deployed, version: str) -> str | None:
    """Return the commit that a version was built from, its variable COMMIT."""
    configuration = aws.client("lambda", service.place).get_function_configuration(
        FunctionName=service.function, Qualifier=version
    )
    commit: str | None = (configuration.get("Environment") or {}).get("Variables", {}).get("COMMIT")
    return commit


def _physical_id(resources: list[dict[str, Any]], resource_type: str) -> str | None:
    return next(
        (
            each["PhysicalResourceId"]
            for each in resources
            if each["ResourceType"] == resource_type and each.get("PhysicalResourceId")
        ),
        None,
    )
