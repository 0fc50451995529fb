from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from localcloud.core.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "222222222222", "eu-west-1"


def test_the_api_describes_what_the_template_created(deployed: Any, base: str) -> None:
    api_id = base.split("/")[1]
    assert re.fullmatch("[a-z0-9]{10}", api_id)
    [api] = deployed.api.get_rest_apis()["items"]
    assert (api["id"], api["name"], api["binaryMediaTypes"]) == (api_id, deployed.name, ["*/*"])
    [stage] = deployed.api.get_stages(restApiId=api_id)["item"]
    assert stage["stageName"] == "dev"
    assert stage["tracingEnabled"] is True
    settings = stage["methodSettings"]["*/*"]
    assert (settings["metricsEnabled"], settings["loggingLevel"]) == (True, "ERROR")
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (10000.0, 5000)
    assert f":log-group:{deployed.name}" in stage["accessLogSettings"]["destinationArn"]
    [deployment] = deployed.api.get_deployments(restApiId=api_id)["items"]
    assert deployment["id"] == stage["deploymentId"]
    resources = deployed.api.get_resources(restApiId=api_id)["items"]
    assert {each["path"]: set(each["resourceMethods"]) for each in resources} == {
        "/": {"ANY"},
        "/{proxy+}": {"ANY", "OPTIONS"},
    }
    assert deployed.api.get_account()["cloudwatchRoleArn"].endswith(":role/logs")


def test_a_changed_method_is_served_with_the_next_deployment(deployed: Any, base: str) -> None:
    changed = deployed.template()
    integration = changed["Resources"]["ProxyAny"]["Properties"]["Integration"]
    integration["Uri"] = integration["Uri"].replace(":live/", ":next/")
    assert deployed.deploy(changed)["StackStatus"] == "UPDATE_COMPLETE"
    deployed.request("GET", f"{base}/x")
    changed["Resources"]["Deployment2"] = changed["Resources"].pop("Deployment1")
    changed["Resources"]["Stage"]["Properties"]["DeploymentId"] = {"Ref": "Deployment2"}
    assert deployed.deploy(changed)["StackStatus"] == "UPDATE_COMPLETE"
    deployed.request("GET", f"{base}/x")
    assert [qualifier for *_, qualifier, _ in deployed.functions.invoked] == ["live", "next"]
    assert len(deployed.api.get_deployments(restApiId=base.split("/")[1])["items"]) == 1


def test_method_settings_removed_from_the_template_are_removed(deployed: Any, base: str) -> None:
    changed = deployed.template()
    changed["Resources"]["Stage"]["Properties"]["MethodSettings"] = [
        {"HttpMethod": "ANY", "ResourcePath": "/~1{proxy+}", "ThrottlingBurstLimit": "0"}
    ]
    assert deployed.deploy(changed)["StackStatus"] == "UPDATE_COMPLETE"
    [stage] = deployed.api.get_stages(restApiId=base.split("/")[1])["item"]
    assert list(stage["methodSettings"]) == ["~1{proxy+}/ANY"]
    assert deployed.request("GET", f"{base}/x").status == 429
    assert deployed.request("GET", base).status == 200


def test_an_account_takes_no_log_role_that_api_gateway_cannot_assume(
    deployed: Any,
) -> None:
    """aws-cloudformation/rain#163."""
    deployed.put_log_role("lambda.amazonaws.com")
    stack = deployed.deploy(deployed.template())
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(
        reason.startswith("The role ARN does not have required permissions configured.")
        for reason in stack["Reasons"]
    )


def test_a_deleted_stack_serves_nothing(deployed: Any, base: str) -> None:
    deployed.delete()
    assert deployed.api.get_rest_apis()["items"] == []
    assert deployed.request("GET", base).status == 403
    assert deployed.cloud.ledger.all("gateway:deployment") == []


def _with(place: list[str], value: Any) -> Callable[[dict[str, Any]], None]:
    def change(template: dict[str, Any]) -> None:
        found = template["Resources"]
        for step in place[:-1]:
            found = found[step]
        found[place[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_with(["Api", "Properties", "Body"], {"openapi": "3.0"}), "Body"),
        (_with(["Api", "Properties", "Policy"], {"Version": "2012-10-17"}), "Policy"),
        (
            _with(["Api", "Properties", "EndpointConfiguration"], {"Types": ["PRIVATE"]}),
            "PRIVATE",
        ),
        (_with(["RootAny", "Properties", "AuthorizationType"], "AWS_IAM"), "AWS_IAM"),
        (_with(["RootAny", "Properties", "ApiKeyRequired"], True), "apiKeyRequired"),
        (_with(["RootAny", "Properties", "Integration", "Type"], "HTTP_PROXY"), "HTTP_PROXY"),
        (_with(["RootAny", "Properties", "Integration", "TimeoutInMillis"], 30000), "29000"),
        (_with(["RootAny", "Properties", "Integration", "Uri"], "arn:x"), "arn:x"),
        (
            _with(
                [
                    "ProxyOptions", "Properties", "Integration", "IntegrationResponses",
                ],
                [{"StatusCode": "204", "ResponseTemplates": {"application/json": "$input"}}],
            ),
            r"\$input",
        ),
        (_with(["Stage", "Properties", "CanarySetting"], {"PercentTraffic": 5}), "CanarySetting"),
        (_with(["Stage", "Properties", "CacheClusterEnabled"], True), "CacheClusterEnabled"),
        (_with(["Stage", "Properties", "StageName"], "not a name"), "Stage name only allows"),
        (_with(["Account", "Properties"], {}), "CloudWatch Logs role ARN must be set"),
        (_with(["Proxy", "Properties", "PathPart"], "a/b"), "path part"),
        (
            _with(["Key"], {"Type": "AWS::ApiGateway::UsagePlan", "Properties": {}}),
            "AWS::ApiGateway::UsagePlan is not part of the local cloud",
        ),
    ],
)  # fmt: skip
def test_unsupported_settings_are_rejected_by_name(
    deployed: Any, change: Callable[[dict[str, Any]], None], named: str
) -> None:
    template = deployed.template()
    change(template)
    stack = deployed.deploy(template)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert any(re.search(named, reason) for reason in stack["Reasons"]), stack["Reasons"]
    assert deployed.api.get_rest_apis()["items"] == []


def _made_by_calls(client: Any) -> str:
    api_id: str = client.create_rest_api(name="mine", binaryMediaTypes=["image/png"])["id"]
    root = client.get_resources(restApiId=api_id)["items"][0]["id"]
    where = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    client.put_method(**where, authorizationType="NONE")
    client.put_integration(
        **where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    client.put_method_response(**where, statusCode="200")
    client.put_integration_response(
        **where, statusCode="200", responseTemplates={"application/json": "hello"}
    )
    client.create_deployment(restApiId=api_id, stageName="dev")
    return api_id


def test_an_api_made_by_calls_is_served(deployed: Any) -> None:
    api_id = _made_by_calls(deployed.api)
    assert deployed.request("GET", f"/{api_id}/dev").data == b"hello"
    assert deployed.api.get_rest_api(restApiId=api_id)["binaryMediaTypes"] == ["image/png"]
    deployed.api.update_stage(
        restApiId=api_id,
        stageName="dev",
        patchOperations=[
            {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "0"},
        ],
    )
    assert deployed.request("GET", f"/{api_id}/dev").status == 429
    # A further deployment keeps the stage's settings.
    deployed.api.create_deployment(restApiId=api_id, stageName="dev")
    assert deployed.request("GET", f"/{api_id}/dev").status == 429
    deployed.api.delete_stage(restApiId=api_id, stageName="dev")
    assert deployed.request("GET", f"/{api_id}/dev").status == 403


def test_unsupported_calls_are_errors(deployed: Any) -> None:
    api_id = _made_by_calls(deployed.api)
    root = deployed.api.get_resources(restApiId=api_id)["items"][0]["id"]
    deployed.api.put_method(
        restApiId=api_id, resourceId=root, httpMethod="PUT", authorizationType="AWS_IAM"
    )
    with pytest.raises(ClientError, match="AWS_IAM is not part of the local cloud") as caught:
        deployed.api.create_deployment(restApiId=api_id)
    assert caught.value.response["Error"]["Code"] == "BadRequestException"
    with pytest.raises(ClientError, match="Invalid API identifier specified"):
        deployed.api.create_deployment(restApiId="nosuchapi0")
    with pytest.raises(ClientError, match="HTTP and WebSocket APIs are not part"):
        deployed.cloud.client("apigatewayv2", ACCOUNT, REGION).get_apis()


_PROCESS = """
import sys
from pathlib import Path
from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
server = LocalCloud(Path(sys.argv[1]), services=("logs", "gateway"), delays=NO_DELAYS)
server.start()
print(server.cloud.endpoint, flush=True)
sys.stdin.read()
"""


def test_acknowledged_calls_survive_a_kill(
    tmp_path: Path, start_cloud: Callable[..., LocalCloud], deployed: Any
) -> None:
    state = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", _PROCESS, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    with process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        published = json.loads((state / "endpoint.json").read_text())
        # The credentials of the state folder, whose ledger the other process has open.
        credentials: Any = SimpleNamespace(secret_key=published["secret_key"])
        client = Clients(endpoint, credentials)("apigateway", ACCOUNT, REGION)
        api_id = _made_by_calls(client)
        process.send_signal(signal.SIGKILL)
    again = start_cloud(services=("logs", "gateway"), state=state)
    [api] = again.cloud.client("apigateway", ACCOUNT, REGION).get_rest_apis()["items"]
    assert api["id"] == api_id
    served = deployed._http.request("GET", f"{again.cloud.gateway_endpoint}/{api_id}/dev")
    assert served.data == b"hello"


def test_a_restart_keeps_the_apis_address(
    tmp_path: Path, start_cloud: Callable[..., LocalCloud], deployed: Any
) -> None:
    state = tmp_path / "restarted"
    deployed.forget_moto()
    options: dict[str, Any] = {
        "services": ("logs", "sts", "gateway", "cloudformation"),
        "state": state,
        "substitutes": deployed.fakes.substitutes,
    }
    first = type(deployed)(start_cloud(**options), deployed.fakes)
    url = first.deploy(first.template())["Outputs"][0]["OutputValue"]
    api_id = url.removeprefix(first.cloud.gateway_endpoint).split("/")[1]
    before = first.api.get_resources(restApiId=api_id)["items"]
    first.server.stop()
    deployed.forget_moto()
    again = type(deployed)(start_cloud(**options), deployed.fakes)
    assert again._http.request("GET", f"{url}x").status == 200
    assert again.api.get_resources(restApiId=api_id)["items"] == before
    [stage] = again.api.get_stages(restApiId=api_id)["item"]
    assert stage["methodSettings"]["*/*"]["loggingLevel"] == "ERROR"
    again.close()
