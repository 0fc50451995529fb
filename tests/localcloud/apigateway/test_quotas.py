"""Quotas of REST APIs, each at its limit and one above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.apigateway.quotas import headers_too_large
from localcloud.core.quotas import Quotas
from tests.localcloud.apigateway.conftest import forget_moto

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT, REGION = "222222222222", "eu-west-1"


@pytest.fixture
def client(start_cloud: Callable[..., Any]) -> Any:
    """API Gateway with quotas of one API of a kind, two resources and one stage."""
    forget_moto()
    quotas = Quotas(
        concurrent_executions=1,
        concurrent_builds=1,
        regional_apis=1,
        edge_apis=1,
        api_resources=2,
        api_stages=1,
    )
    server = start_cloud(services=("logs", "gateway"), quotas=quotas)
    return server.cloud.client("apigateway", ACCOUNT, REGION)


def _api(client: Any, kind: str = "REGIONAL") -> tuple[str, str]:
    made = client.create_rest_api(name="a", endpointConfiguration={"types": [kind]})
    return made["id"], made["rootResourceId"]


def _refusal(call: Callable[..., Any], **parameters: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("kind", ["REGIONAL", "EDGE"])
def test_a_region_has_a_quota_of_apis(client: Any, kind: str) -> None:
    """AWS's text is quoted in Miserlou/Zappa#628."""
    first, _ = _api(client, kind)
    other = "EDGE" if kind == "REGIONAL" else "REGIONAL"
    _api(client, other)
    configuration = {"types": [kind]}
    assert _refusal(client.create_rest_api, name="b", endpointConfiguration=configuration) == (
        "BadRequestException",
        "Maximum number of APIs has been reached.  Please contact AWS if you need additional APIs.",
    )
    client.delete_rest_api(restApiId=first)
    _api(client, kind)


def test_an_api_has_a_quota_of_resources(client: Any) -> None:
    """AWS's text is quoted in boto/boto3#1296."""
    api, root = _api(client)
    client.create_resource(restApiId=api, parentId=root, pathPart="one")
    refused = _refusal(client.create_resource, restApiId=api, parentId=root, pathPart="two")
    assert refused == (
        "LimitExceededException",
        "Maximum number of Resources for this API has been reached.  Please contact AWS if you "
        "need additional Resources.",
    )


def _deployed(client: Any) -> dict[str, str]:
    api, root = _api(client)
    client.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    client.put_integration(
        restApiId=api, resourceId=root, httpMethod="GET", type="MOCK",
        requestTemplates={"application/json": '{"statusCode": 200}'},
    )  # fmt: skip
    return {"restApiId": api, "deploymentId": client.create_deployment(restApiId=api)["id"]}


def test_an_api_has_a_quota_of_stages(client: Any) -> None:
    deployed = _deployed(client)
    client.create_stage(**deployed, stageName="one")
    code, message = _refusal(client.create_stage, **deployed, stageName="two")
    assert code == "LimitExceededException"
    assert message.startswith("Maximum number of Stages for this API has been reached.")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({f"v{number}": "v" for number in range(101)}, "found 101 stage variables"),
        ({"v" * 65: "v"}, "the name of a stage variable has at most 64 characters"),
        ({"v": "v" * 513}, "the value of a stage variable has at most 512 characters"),
    ],
)
def test_a_stage_has_a_quota_of_variables(
    client: Any, variables: dict[str, str], message: str
) -> None:
    code, found = _refusal(
        client.create_stage, **_deployed(client), stageName="one", variables=variables
    )
    assert (code, message in found) == ("BadRequestException", True)


@pytest.mark.parametrize(
    ("values", "large"), [(["v" * 10_000, "v" * 240], False), (["v" * 10_000, "v" * 241], True)]
)
def test_headers_have_a_size_limit(values: list[str], large: bool) -> None:  # what is expected
    assert headers_too_large("", values) is large
