"""The app in two regions, with environments that share accounts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import load_all, load_home
from pipeline.delivery import nag, reviews
from pipeline.gates.template import assembly
from pipeline.names import STACK, lookup_role, service_stack, support_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.schema import Environment

HOME, OTHER, REGION = load_home().account, "222222222222", load_home().region
LAYOUTS = {
    "one account, two regions": {
        "dev": (HOME, REGION),
        "staging": (HOME, REGION),
        "prod": (HOME, "us-east-1"),
    },
    "two accounts": {
        "dev": (HOME, REGION),
        "staging": (OTHER, REGION),
        "prod": (OTHER, REGION),
    },
    "four accounts": {name: (each.account, each.region) for name, each in load_all().items()},
}

NAMED = {
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CodeDeploy::DeploymentGroup": "DeploymentGroupName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
}
"""The property of a resource's physical name, by type."""


@pytest.fixture(scope="module", params=LAYOUTS)
def environments(request: pytest.FixtureRequest) -> dict[str, Environment]:
    """Return the environments in the accounts and regions of a layout."""
    places = LAYOUTS[request.param]
    return {
        name: each.model_copy(update=dict(zip(("account", "region"), places[name], strict=True)))
        for name, each in load_all().items()
    }


@pytest.fixture(scope="module")
def laid_out(
    environments: dict[str, Environment],
    synthesise: Callable[[dict[str, Environment]], Any],
    request: pytest.FixtureRequest,
) -> Any:
    """Return the app for a layout; the checkout's own is synthesised once."""
    if environments == load_all():
        return request.getfixturevalue("assembly")
    return synthesise(environments)


def test_each_cdk_nag_finding_was_reviewed(
    laid_out: Any, environments: dict[str, Environment]
) -> None:
    """Synthesis itself fails on an unreviewed finding."""
    reviewed = reviews.applicable(load_home(), environments, signed=False)
    assert nag.check(laid_out.app, reviewed).unused == ()


@pytest.mark.parametrize("environments", ["one account, two regions"], indirect=True)
def test_without_their_reviews_two_regions_stop_synthesis(
    laid_out: Any, environments: dict[str, Environment]
) -> None:
    """Planted: without reviews of the replication bucket and the grants on it."""
    kept = reviews.applicable(load_home(), environments, signed=False)
    found = nag.check(laid_out.app, (each for each in kept if each not in reviews.OTHER_REGION))
    assert {rule.partition("[")[0] for rule, _, _ in found.violations} == {
        "AwsSolutions-IAM5",
        "AwsSolutions-S1",
    }


def test_the_comparison_may_read_each_deployed_stack(
    laid_out: Any, environments: dict[str, Environment]
) -> None:
    """Gate `changes` reads its own account directly, and others by the lookup role."""
    for comparing in ("PipelineVerifyInfrastructureRole", "PipelineChangesRole"):
        granted = _granted(laid_out, comparing)
        for name, each in environments.items():
            stack = f"arn:aws:cloudformation:{each.region}:{HOME}:stack/{service_stack(name)}/*"
            needed = (
                ("cloudformation:GetTemplate", stack)
                if each.account == HOME
                else ("sts:AssumeRole", lookup_role(each.account, each.region))
            )
            assert needed in granted


def test_the_comparison_may_read_the_pipelines_stacks_in_other_regions(
    laid_out: Any, environments: dict[str, Environment]
) -> None:
    """CDK puts the artifacts of another region's actions in a separate stack there."""
    found = {
        (stack.name, stack.region)
        for stack in assembly.read(laid_out.folder)
        if stack.name not in {STACK, *map(service_stack, environments)}
    }
    regions = {each.region for each in environments.values()} - {REGION}
    assert found == {(support_stack(each), each) for each in regions}
    for name, region in found:
        arn = f"arn:aws:cloudformation:{region}:{HOME}:stack/{name}/*"
        assert ("cloudformation:GetTemplate", arn) in _granted(laid_out, "PipelineChangesRole")


def test_deleting_a_stack_keeps_the_accounts_api_gateway_log_role(laid_out: Any) -> None:
    for template in laid_out.services.values():
        roles = {
            properties["CloudWatchRoleArn"]["Fn::GetAtt"][0]
            for properties in template.of_type("AWS::ApiGateway::Account").values()
        }
        assert len(roles) == 1
        assert {template.resources[role]["DeletionPolicy"] for role in roles} == {"Retain"}


def test_the_environments_have_no_physical_name_in_common(laid_out: Any) -> None:
    """They may share an account and a region."""
    named = [
        json.dumps([type_, properties[key]])
        for template in laid_out.services.values()
        for type_, key in NAMED.items()
        for properties in template.of_type(type_).values()
        if key in properties
    ]
    assert named
    assert len(named) == len(set(named))


def _granted(laid_out: Any, role: str) -> set[tuple[str, str]]:
    """Return the single actions that a role's policy allows, each with a resource."""
    return {
        (statement["Action"], resource)
        for name, policy in laid_out.delivery.of_type("AWS::IAM::Policy").items()
        if name.startswith(role)
        for statement in policy["PolicyDocument"]["Statement"]
        for resource in _listed(statement["Resource"])
        if isinstance(statement["Action"], str) and isinstance(resource, str)
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
