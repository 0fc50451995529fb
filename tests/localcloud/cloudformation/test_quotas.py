"""Quotas of stacks and templates ("CloudFormation quotas"), at the limit and above."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.quotas import Quotas

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, REGION = "111111111111", "eu-west-1"
LOG = {"Type": "AWS::Logs::LogGroup"}
SERVICES = ("logs", "sts", "cloudformation")


@pytest.fixture
def client(start_cloud: Callable[..., Any]) -> Any:
    """CloudFormation in an account with quotas of two stacks and two change sets each."""
    quotas = Quotas(concurrent_executions=1, concurrent_builds=1, stacks=2, change_sets=2)
    server = start_cloud(services=SERVICES, quotas=quotas)
    return server.cloud.client("cloudformation", ACCOUNT, REGION)


def _plan_change_set(client: Any, stack: str, name: str, template: Any, tags: int = 0) -> None:
    client.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template),
        Tags=[{"Key": str(number), "Value": "v"} for number in range(tags)],
    )


def _refusal(client: Any, *what: Any, **more: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        _plan_change_set(client, *what, **more)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_an_account_has_a_quota_of_stacks(client: Any) -> None:
    """AWS's text is quoted in aws-amplify/amplify-cli#2467."""
    for number in range(2):
        _plan_change_set(client, f"s{number}", "c", {"Resources": {"Log": LOG}})
    refused = _refusal(client, "s2", "c", {"Resources": {"Log": LOG}})
    assert refused == ("LimitExceededException", "Limit for stack has been exceeded")
    client.delete_stack(StackName="s0")
    client.get_waiter("stack_delete_complete").wait(StackName="s0", WaiterConfig={"Delay": 1})
    _plan_change_set(client, "s2", "c", {"Resources": {"Log": LOG}})


def test_a_stack_has_a_quota_of_change_sets(client: Any) -> None:
    """AWS's text is quoted in awslabs/seed-farmer#441."""
    for number in range(2):
        _plan_change_set(client, "s", f"c{number}", {"Resources": {"Log": LOG}})
    code, message = _refusal(client, "s", "c2", {"Resources": {"Log": LOG}})
    stack = client.describe_stacks(StackName="s")["Stacks"][0]["StackId"]
    assert (code, message) == (
        "LimitExceededException",
        f"ChangeSet limit exceeded for stack {stack}",
    )
    client.delete_change_set(StackName="s", ChangeSetName="c0")
    _plan_change_set(client, "s", "c2", {"Resources": {"Log": LOG}})


def _named(section: str, length: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {
        "Resources": LOG,
        "Parameters": {"Type": "String", "Default": "d"},
        "Outputs": {"Value": "v"},
        "Mappings": {"k": {"a": "v"}},
    }
    return {"Resources": {"Log": LOG}} | {section: {"x" * length: definitions[section]}}


def _mapping(attributes: int) -> dict[str, Any]:
    values = {f"a{number}": "v" for number in range(attributes)}
    return {"Resources": {"Log": LOG}, "Mappings": {"m": {"k": values}}}


@pytest.mark.parametrize("section", ["Resources", "Parameters", "Outputs", "Mappings"])
def test_a_name_has_255_characters(client: Any, section: str) -> None:
    _plan_change_set(client, "s", "c", _named(section, 255))
    code, message = _refusal(client, "s", "d", _named(section, 256))
    assert code == "ValidationError"
    assert message.endswith("is longer than 255 characters.")


def test_a_mapping_has_200_attributes(client: Any) -> None:
    _plan_change_set(client, "s", "c", _mapping(200))
    code, message = _refusal(client, "s", "d", _mapping(201))
    assert (code, "maximum allowed, 200" in message) == ("ValidationError", True)


def test_a_stack_has_50_tags(client: Any) -> None:
    _plan_change_set(client, "s", "c", {"Resources": {"Log": LOG}}, tags=50)
    code, message = _refusal(client, "s", "d", {"Resources": {"Log": LOG}}, tags=51)
    assert (code, "less than or equal to 50" in message) == ("ValidationError", True)
