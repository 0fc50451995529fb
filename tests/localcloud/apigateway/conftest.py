from __future__ import annotations

import json
import queue
import threading
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from localcloud.compose import Substitutes
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.fakes import AnsweringFunctions, FakeMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

ACCOUNT, REGION = "222222222222", "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:files"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/logs"
SERVICES = ("logs", "sts", "gateway", "cloudformation")


class Fakes:
    """What a gateway receives in place of Lambda and CloudWatch."""

    def __init__(self) -> None:
        self.functions, self.metrics = AnsweringFunctions(), FakeMetrics()
        self.substitutes = Substitutes(functions=self.functions, metrics=self.metrics)


class Deployed:
    """A local cloud with clients of API Gateway's API and its data plane."""

    def __init__(self, server: LocalCloud, fakes: Fakes) -> None:
        self.server = server
        self.fakes = fakes
        self.cloud = server.cloud
        self.functions, self.metrics = fakes.functions, fakes.metrics
        self.functions.reset()
        self.api = self.cloud.client("apigateway", ACCOUNT, REGION)
        self._http = urllib3.PoolManager(retries=False)
        self._stacks = self.cloud.client("cloudformation", ACCOUNT, REGION)
        self._written = threading.Condition()
        self._lines: defaultdict[str, list[str]] = defaultdict(list)
        self.cloud.logs.subscribe(self._logged)
        # Metrics of an earlier test's requests arrive under other API names.
        self.name = f"files-{uuid.uuid4()}"
        self.put_log_role()

    def put_log_role(self, service: str = "apigateway.amazonaws.com") -> None:
        """Set the account's log role, which trusts a service."""
        iam = self.cloud.client("iam", ACCOUNT, REGION)
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        try:
            iam.create_role(RoleName="logs", AssumeRolePolicyDocument=document)
        except iam.exceptions.EntityAlreadyExistsException:
            iam.update_assume_role_policy(RoleName="logs", PolicyDocument=document)

    def close(self) -> None:
        """Delete all stacks and APIs."""
        self._http.clear()
        for stack in self._stacks.describe_stacks()["Stacks"]:
            self.delete(stack["StackName"])
        for api in self.api.get_rest_apis()["items"]:
            self.api.delete_rest_api(restApiId=api["id"])

    @staticmethod
    def forget_moto() -> None:
        """Reset moto's backend, as the end of the process would."""
        forget_moto()

    def template(self, deployment: str = "Deployment1", **settings: Any) -> dict[str, Any]:
        """Return a CDK `LambdaRestApi`; `settings` are the stage's method settings."""
        return template(self.name, deployment, **settings)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Any = None
    ) -> urllib3.BaseHTTPResponse:
        """Send a request to `/API/STAGE/…`, with the path exactly as written."""
        url = f"{self.cloud.gateway_endpoint}{path}"
        return self._http.request(method, url, body=body, headers=headers, redirect=False)

    def deploy(self, template: dict[str, Any], name: str = "service") -> dict[str, Any]:
        """Create or update the stack; wait for it to end and return it."""
        client = self._stacks
        exists = any(each["StackName"] == name for each in client.describe_stacks()["Stacks"])
        change = client.update_stack if exists else client.create_stack
        change(StackName=name, TemplateBody=json.dumps(template))
        stack = self._settled(name)
        assert stack is not None
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        stack["Reasons"] = [each.get("ResourceStatusReason", "") for each in events]
        return stack

    def delete(self, name: str = "service") -> None:
        """Delete a stack and wait until it is deleted."""
        self._stacks.delete_stack(StackName=name)
        assert self._settled(name) is None

    def _settled(self, name: str) -> dict[str, Any] | None:
        """Wait for the stack's operation to end; return the stack, or None if deleted."""
        told: queue.SimpleQueue[Any] = queue.SimpleQueue()
        unsubscribe = self.cloud.bus.subscribe(told.put)
        while True:
            stacks = self._stacks.describe_stacks()["Stacks"]
            found = next((each for each in stacks if each["StackName"] == name), None)
            if found is None or not found["StackStatus"].endswith("IN_PROGRESS"):
                unsubscribe()
                return found
            told.get(timeout=60)

    def lines(self, group: str, count: int) -> list[str]:
        """Wait for `count` lines in a log group; `access` selects the template's group."""
        group = self.name if group == "access" else group
        with self._written:
            assert self._written.wait_for(lambda: len(self._lines[group]) >= count, 60)
            return list(self._lines[group])

    def _logged(self, _account: str, _region: str, group: str, _stream: str, new: Any) -> None:
        with self._written:
            self._lines[group] += [text for _, text in new]
            self._written.notify_all()


def forget_moto() -> None:
    """Reset moto's backend, as the end of the process would."""
    from moto.apigateway.models import apigateway_backends  # noqa: PLC0415  # as the gateway does

    apigateway_backends.reset()


@pytest.fixture(scope="module")
def fakes() -> Fakes:
    """The fakes of the module's server."""
    return Fakes()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, fakes: Fakes) -> Iterator[LocalCloud]:
    """One local cloud for a module's tests, each of which starts and ends without an API."""
    forget_moto()
    made = LocalCloud(
        tmp_path_factory.mktemp("state"),
        services=SERVICES,
        delays=NO_DELAYS,
        substitutes=fakes.substitutes,
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def deployed(server: LocalCloud, fakes: Fakes) -> Iterator[Deployed]:
    made = Deployed(server, fakes)
    yield made
    made.close()
    assert made.api.get_rest_apis()["items"] == []


def method(
    resource: Any, name: str, *, function: str = f"{FUNCTION}:live", **more: Any
) -> dict[str, Any]:
    return {
        "Type": "AWS::ApiGateway::Method",
        "Properties": {
            "RestApiId": {"Ref": "Api"},
            "ResourceId": resource,
            "HttpMethod": name,
            "AuthorizationType": "NONE",
            "Integration": {
                "Type": "AWS_PROXY",
                "IntegrationHttpMethod": "POST",
                "Uri": f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/"
                f"{function}/invocations",
            },
            **more,
        },
    }


def preflight(resource: Any) -> dict[str, Any]:
    """Return what CDK's `default_cors_preflight_options` generates for two origins."""
    header = "method.response.header."
    template = (
        '#set($origin = $input.params().header.get("Origin"))\n'
        '#if($origin == "")\n'
        '  #set($origin = $input.params().header.get("origin"))\n'
        "#end\n"
        '#if($origin == "https://b.example" || $origin == "https://c.example")\n'
        "  #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)\n"
        "#end"
    )
    return {
        "Type": "AWS::ApiGateway::Method",
        "Properties": {
            "ApiKeyRequired": False,
            "AuthorizationType": "NONE",
            "HttpMethod": "OPTIONS",
            "RestApiId": {"Ref": "Api"},
            "ResourceId": resource,
            "Integration": {
                "Type": "MOCK",
                "RequestTemplates": {"application/json": "{ statusCode: 200 }"},
                "IntegrationResponses": [
                    {
                        "StatusCode": "204",
                        "ResponseParameters": {
                            f"{header}Access-Control-Allow-Origin": "'https://a.example'",
                            f"{header}Vary": "'Origin'",
                        },
                        "ResponseTemplates": {"application/json": template},
                    }
                ],
            },
            "MethodResponses": [
                {
                    "StatusCode": "204",
                    "ResponseParameters": {
                        f"{header}Access-Control-Allow-Origin": True,
                        f"{header}Vary": True,
                    },
                }
            ],
        },
    }


ROOT = {"Fn::GetAtt": ["Api", "RootResourceId"]}


def template(name: str, deployment: str = "Deployment1", **settings: Any) -> dict[str, Any]:
    stage: dict[str, Any] = {
        "HttpMethod": "*",
        "ResourcePath": "/*",
        "LoggingLevel": "ERROR",
        "MetricsEnabled": True,
        "DataTraceEnabled": False,
    }
    return {
        "Resources": {
            "Api": {
                "Type": "AWS::ApiGateway::RestApi",
                "Properties": {"Name": name, "BinaryMediaTypes": ["*/*"]},
            },
            "Account": {
                "Type": "AWS::ApiGateway::Account",
                "Properties": {"CloudWatchRoleArn": ROLE},
                "DependsOn": ["Api"],
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
            },
            "Proxy": {
                "Type": "AWS::ApiGateway::Resource",
                "Properties": {
                    "RestApiId": {"Ref": "Api"},
                    "ParentId": ROOT,
                    "PathPart": "{proxy+}",
                },
            },
            "ProxyAny": method({"Ref": "Proxy"}, "ANY"),
            "ProxyOptions": preflight({"Ref": "Proxy"}),
            "RootAny": method(ROOT, "ANY"),
            "AccessLog": {
                "Type": "AWS::Logs::LogGroup",
                "Properties": {"LogGroupName": name},
            },
            deployment: {
                "Type": "AWS::ApiGateway::Deployment",
                "Properties": {"RestApiId": {"Ref": "Api"}, "Description": "The API"},
                "DependsOn": ["ProxyAny", "ProxyOptions", "RootAny", "Proxy"],
            },
            "Stage": {
                "Type": "AWS::ApiGateway::Stage",
                "Properties": {
                    "RestApiId": {"Ref": "Api"},
                    "DeploymentId": {"Ref": deployment},
                    "StageName": "dev",
                    "TracingEnabled": True,
                    "MethodSettings": [stage | settings],
                    "AccessLogSetting": {
                        "DestinationArn": {"Fn::GetAtt": ["AccessLog", "Arn"]},
                        "Format": '{"ip":"$context.identity.sourceIp","status":"$context.status",'
                        '"path":"$context.resourcePath","user":"$context.identity.user"}',
                    },
                },
                "DependsOn": ["Account"],
            },
        },
        "Outputs": {
            "Url": {
                "Value": {
                    "Fn::Join": [
                        "",
                        [
                            "https://",
                            {"Ref": "Api"},
                            f".execute-api.{REGION}.",
                            {"Ref": "AWS::URLSuffix"},
                            "/",
                            {"Ref": "Stage"},
                            "/",
                        ],
                    ]
                }
            }
        },
    }


@pytest.fixture
def base(deployed: Deployed) -> str:
    """Return the path of the deployed stage, such as `/abcdefghij/dev`."""
    stack = deployed.deploy(deployed.template())
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["Reasons"]
    url: str = stack["Outputs"][0]["OutputValue"]
    assert url.startswith(deployed.cloud.gateway_endpoint)
    return url.removeprefix(deployed.cloud.gateway_endpoint).rstrip("/")
