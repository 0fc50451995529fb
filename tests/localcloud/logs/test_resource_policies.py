"""Resource policies of CloudWatch Logs in the API and in templates."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.providers import ProvisioningError, ResourceRequest
from localcloud.logs.resource_policies import ResourcePolicyProvider

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "logs:PutLogEvents",
    "Resource": "*",
}
DOCUMENT = json.dumps({"Version": "2012-10-17", "Statement": STATEMENT})


@pytest.fixture
def server(start_cloud: Callable[..., LocalCloud]) -> LocalCloud:
    return start_cloud(services=("logs",))


def _client(server: LocalCloud) -> Any:
    return server.cloud.client("logs", ACCOUNT, REGION)


def _request(document: str, name: str = "events") -> ResourceRequest:
    return ResourceRequest(
        type="AWS::Logs::ResourcePolicy",
        logical_id="It",
        account=ACCOUNT,
        region=REGION,
        stack_name="stack",
        stack_id="arn:stack",
        properties={"PolicyName": name, "PolicyDocument": document},
        cancel=threading.Event(),
    )


def _names(server: LocalCloud) -> list[str]:
    found = _client(server).describe_resource_policies()["resourcePolicies"]
    return [each["policyName"] for each in found]


def test_a_policy_is_put_described_and_deleted(
    server: LocalCloud, start_cloud: Callable[..., LocalCloud]
) -> None:
    put = _client(server).put_resource_policy(policyName="events", policyDocument=DOCUMENT)
    assert put["resourcePolicy"]["policyDocument"] == DOCUMENT
    server.stop()
    again = start_cloud(services=("logs",))
    assert _names(again) == ["events"]
    client = _client(again)
    client.delete_resource_policy(policyName="events")
    assert _names(again) == []
    with pytest.raises(client.exceptions.ResourceNotFoundException, match="does not exist"):
        client.delete_resource_policy(policyName="events")


@pytest.mark.parametrize(
    "document",
    ["{}", json.dumps({"Version": "2012-10-17", "Statement": {}}), f"{DOCUMENT}{' ' * 5120}"],
    ids=["empty", "no-statement", "long"],
)
def test_an_invalid_resource_policy_is_rejected(server: LocalCloud, document: str) -> None:
    client = _client(server)
    with pytest.raises(client.exceptions.InvalidParameterException):
        client.put_resource_policy(policyName="events", policyDocument=document)
    assert _names(server) == []


def test_a_region_has_ten_policies(server: LocalCloud) -> None:
    client = _client(server)
    for number in range(10):
        client.put_resource_policy(policyName=f"p{number}", policyDocument=DOCUMENT)
    client.put_resource_policy(policyName="p0", policyDocument=DOCUMENT)
    with pytest.raises(client.exceptions.LimitExceededException):
        client.put_resource_policy(policyName="p10", policyDocument=DOCUMENT)


def test_a_template_creates_a_policy(server: LocalCloud) -> None:
    provider = ResourcePolicyProvider(server.cloud.logs.resource_policies)
    made = provider.create(_request(DOCUMENT))
    assert _names(server) == [made.physical_id] == ["events"]
    assert not provider.replaces(_request("{}"), made)
    assert provider.replaces(_request(DOCUMENT, "other"), made)
    with pytest.raises(ProvisioningError, match="CloudWatchLogs"):
        provider.update(_request("{}"), made)
    provider.delete(_request(DOCUMENT), made)
    assert _names(server) == []
