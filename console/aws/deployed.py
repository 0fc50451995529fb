"""What of the service is deployed in an environment, and what it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.names import ALIAS, service_stack

if TYPE_CHECKING:
    from console.aws.account import Aws, Place


@dataclass(frozen=True)
class Deployed:
    """The names that the environment's stack gave to the service's parts."""

    environment: str
    place: Place
    function: str
    application: str
    deployment_group: str
    url: str
    stack_status: str = ""
    """CloudFormation's, such as UPDATE_COMPLETE, when it was read."""
    decisions: str | None = None
    """The bucket of the judge's records; None where nobody judges."""


@dataclass(frozen=True)
class Serving:
    """Where the alias sends its traffic."""

    version: str
    """The version that serves what `weights` leaves over."""
    commit: str | None
    """None where it cannot be read."""
    weights: dict[str, float] = field(default_factory=dict)
    """Shares (0 to 1) by version; they make 1 together."""
    commits: dict[str, str | None] = field(default_factory=dict)
    """The commit of each version that has a share; None where it cannot be read."""

    @property
    def stable(self) -> Serving:
        """What serves apart from a shift that goes on."""
        return Serving(self.version, self.commit, {self.version: 1.0}, {self.version: self.commit})


def deployed(aws: Aws, environment: str, place: Place) -> Deployed | None:
    """The service of an environment, None until its stack has a function and an alias."""
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


def serving(aws: Aws, what: Deployed) -> Serving:
    """What the alias serves now."""
    functions = aws.client("lambda", what.place)
    alias = functions.get_alias(FunctionName=what.function, Name=ALIAS)
    version = alias["FunctionVersion"]
    shares = weights(alias)
    commits = {each: commit_of(aws, what, each) for each, share in shares.items() if share}
    return Serving(version, commits.get(version), shares, commits)


def weights(alias: dict[str, Any]) -> dict[str, float]:
    """Shares by version, out of GetAlias's answer."""
    routed = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    rest = round(1 - sum(routed.values()), 6)
    return {alias["FunctionVersion"]: rest, **routed}


def commit_of(aws: Aws, what: Deployed, version: str) -> str | None:
    """The commit that a version was built from, which its variable COMMIT says."""
    configuration = aws.client("lambda", what.place).get_function_configuration(
        FunctionName=what.function, Qualifier=version
    )
    commit: str | None = (configuration.get("Environment") or {}).get("Variables", {}).get("COMMIT")
    return commit


def _physical_id(resources: list[dict[str, Any]], kind: str) -> str | None:
    return next(
        (
            each["PhysicalResourceId"]
            for each in resources
            if each["ResourceType"] == kind and each.get("PhysicalResourceId")
        ),
        None,
    )
