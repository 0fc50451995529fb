"""Reports on API Gateway's deployments, rejections and responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, REGION, Bench, refused, started

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = """
BODIES = {"object": {"hey": "dude"}, "large": "x" * 6_400_000}

def handler(event, context):
    asked = (event["queryStringParameters"] or {}).get("asked")
    return {"statusCode": 200, "body": BODIES.get(asked, '"well"')}
"""
API = {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "api"}}
FAILED = {"message": "Internal server error"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud")) as made:
        made.function("service", SOURCE)
        made.lambdas.publish_version(FunctionName="service")
        yield made


class Api:
    """A REST API with its own alias as backend."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.bench, self.alias = bench, name
        self.client = bench.client("apigateway")
        self.id = self.client.create_rest_api(name=name)["id"]
        self.root = self.client.get_resources(restApiId=self.id)["items"][0]["id"]
        bench.lambdas.create_alias(FunctionName="service", Name=name, FunctionVersion="1")
        bench.lambdas.add_permission(
            StatementId="gateway",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            **self.function,
        )

    @property
    def function(self) -> dict[str, str]:
        return {"FunctionName": "service", "Qualifier": self.alias}

    def method(self, verb: str) -> None:
        where = {"restApiId": self.id, "resourceId": self.root, "httpMethod": verb}
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:service:{self.alias}"
        self.client.put_method(authorizationType="NONE", **where)
        self.client.put_integration(
            type="AWS_PROXY",
            integrationHttpMethod="POST",
            uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations",
            **where,
        )

    def deploy(self) -> str:
        return str(self.client.create_deployment(restApiId=self.id, stageName="v1")["id"])

    def request(self, verb: str = "GET", asked: str = "") -> tuple[int, Any]:
        return self.bench.request(self.id, f"/v1?asked={asked}", verb)


@pytest.fixture
def api(bench: Bench, request: pytest.FixtureRequest) -> Api:
    made = Api(bench, request.function.__name__.replace("_", "-"))
    made.method("GET")
    return made


@report(
    "aws/aws-cdk#6068",
    "API Gateway",
    situation="A REST API is deployed before it has methods.",
    outcome="CREATE_FAILED: the REST API does not contain any methods.",
)
def test_a_deployment_without_methods(bench: Bench) -> None:
    deployment = {
        "Type": "AWS::ApiGateway::Deployment",
        "Properties": {"RestApiId": {"Ref": "Api"}},
    }
    template = {"Resources": {"Api": API, "Deployment": deployment}}
    assert bench.create("empty", template) == "ROLLBACK_COMPLETE"
    assert bench.failures("empty")[0].startswith("The REST API doesn't contain any methods")


@report(
    "claudiajs/claudia-api-builder#62",
    "API Gateway",
    situation="Two routes have path parameters with different names in the same position.",
    outcome="The second resource is rejected: a sibling has a variable path part.",
)
def test_two_variables_in_one_place(bench: Bench) -> None:
    client = bench.client("apigateway")
    api = client.create_rest_api(name="siblings")["id"]
    parent = client.get_resources(restApiId=api)["items"][0]["id"]
    client.create_resource(restApiId=api, parentId=parent, pathPart="{uuid}")
    given = {"restApiId": api, "parentId": parent, "pathPart": "{id}"}
    assert refused(client.create_resource, **given) == (
        "BadRequestException",
        "A sibling ({uuid}) of this resource already has a variable path part -- only one is "
        "allowed",
    )


@report(
    "hashicorp/terraform#25495",
    "API Gateway",
    situation="A deployment that a stage points to is deleted.",
    outcome="BadRequestException: active stages must be moved or deleted.",
)
def test_a_deployment_of_a_stage_is_deleted(api: Api) -> None:
    given = {"restApiId": api.id, "deploymentId": api.deploy()}
    assert refused(api.client.delete_deployment, **given) == (
        "BadRequestException",
        "Active stages pointing to this deployment must be moved or deleted",
    )
    api.deploy()
    api.client.delete_deployment(**given)


@report(
    "ansible-collections/community.aws#2052",
    "API Gateway",
    situation="An update adds a method to an API whose stage exists.",
    outcome="The stage serves the old deployment until the next one.",
)
def test_a_method_is_served_with_the_next_deployment(api: Api) -> None:
    api.deploy()
    api.method("POST")
    assert api.request("POST") == (403, {"message": "Missing Authentication Token"})
    api.deploy()
    assert api.request("POST") == (200, "well")


@report(
    "vincentsarago/lambda-proxy#59",
    "API Gateway",
    situation="A function's response has an object as its body, not a string.",
    outcome="The client gets 502: the proxy response is malformed.",
)
def test_a_body_that_is_no_text(api: Api) -> None:
    api.deploy()
    assert api.request(asked="object") == (502, FAILED)


@report(
    "DataBiosphere/azul#8258",
    "API Gateway",
    situation="A function's response is larger than 6,291,556 bytes.",
    outcome="The handler succeeds, and the client gets 502.",
)
def test_a_response_above_six_megabytes(api: Api) -> None:
    api.deploy()
    assert api.request(asked="large") == (502, FAILED)


@report(
    "DataBiosphere/azul#8301",
    "API Gateway",
    situation="A deployment removes a function's permission for API Gateway for some seconds.",
    outcome="Each request in between gets 500.",
)
def test_without_the_functions_permission(api: Api) -> None:
    api.deploy()
    api.bench.lambdas.remove_permission(StatementId="gateway", **api.function)
    assert api.request() == (500, FAILED)


@report(
    "DataBiosphere/azul#7883",
    "API Gateway",
    situation="A deployment deletes and recreates the alias that the integration invokes.",
    outcome="Requests in between get 502: function not found.",
)
def test_without_the_functions_alias(api: Api) -> None:
    api.deploy()
    assert api.request() == (200, "well")
    api.bench.lambdas.delete_alias(FunctionName="service", Name=api.alias)
    assert api.request() == (502, FAILED)


@report(
    "aws-samples/amazon-bedrock-knowledgebase-slackbot#6",
    "API Gateway",
    situation="A stage with a log level is deployed in an account without a log role.",
    outcome="CREATE_FAILED: the account's role for CloudWatch Logs must be set.",
)
def test_a_stage_logs_without_the_accounts_role(api: Api) -> None:
    stage = {
        "Type": "AWS::ApiGateway::Stage",
        "Properties": {
            "RestApiId": api.id,
            "StageName": "prod",
            "DeploymentId": api.deploy(),
            "MethodSettings": [{"ResourcePath": "/*", "HttpMethod": "*", "LoggingLevel": "INFO"}],
        },
    }
    assert api.bench.create("logging", {"Resources": {"Stage": stage}}) == "ROLLBACK_COMPLETE"
    assert api.bench.failures("logging")[0].startswith(
        "CloudWatch Logs role ARN must be set in account settings to enable logging"
    )
