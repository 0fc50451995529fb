"""The app where environments share accounts, and the pipeline's among them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from environments.schema import load_all, load_home
from pipeline import nag
from pipeline.names import lookup_role, service_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.schema import Environment

HOME, OTHER = load_home().account, "222222222222"
LAYOUTS = {
    "one account": dict.fromkeys(("dev", "staging", "prod"), HOME),
    "two accounts": {"dev": HOME, "staging": OTHER, "prod": OTHER},
    "four accounts": {name: each.account for name, each in load_all().items()},
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
"""Where a resource has a name of its own, by its type."""


@pytest.fixture(scope="module", params=LAYOUTS)
def environments(request: pytest.FixtureRequest) -> dict[str, Environment]:
    """The environments in the accounts of a layout."""
    accounts = LAYOUTS[request.param]
    return {
        name: each.model_copy(update={"account": accounts[name]})
        for name, each in load_all().items()
    }


@pytest.fixture(scope="module")
def laid_out(
    environments: dict[str, Environment],
    synthesise: Callable[[dict[str, Environment]], Any],
    request: pytest.FixtureRequest,
) -> Any:
    """The app for a layout; the checkout's own is synthesised once for all tests."""
    if environments == load_all():
        return request.getfixturevalue("assembly")
    return synthesise(environments)


def test_each_finding_of_cdk_nag_was_reviewed(
    laid_out: Any, environments: dict[str, Environment]
) -> None:
    """Synthesis itself fails on an unreviewed one."""
    reviews = nag.reviews(load_home(), environments, signed=False)
    assert nag.judge(laid_out.app, reviews).unused == ()


def test_who_compares_may_read_each_stack_that_is_deployed(
    laid_out: Any, environments: dict[str, Environment]
) -> None:
    """Gate `changes` reads stacks of its own account as itself, others as the lookup role."""
    for comparing in ("PipelineVerifyInfrastructureRole", "PipelineChangesRole"):
        granted = {
            (statement["Action"], resource)
            for name, policy in laid_out.delivery.of_type("AWS::IAM::Policy").items()
            if name.startswith(comparing)
            for statement in policy["PolicyDocument"]["Statement"]
            for resource in _listed(statement["Resource"])
            if isinstance(statement["Action"], str) and isinstance(resource, str)
        }
        for name, each in environments.items():
            stack = f"arn:aws:cloudformation:{each.region}:{HOME}:stack/{service_stack(name)}/*"
            needed = (
                ("cloudformation:GetTemplate", stack)
                if each.account == HOME
                else ("sts:AssumeRole", lookup_role(each.account, each.region))
            )
            assert needed in granted


def test_no_stack_takes_the_log_role_of_its_account_with_it(laid_out: Any) -> None:
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


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
