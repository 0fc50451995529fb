from __future__ import annotations

import base64
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from localcloud.apigateway.telemetry import Telemetry
from localcloud.core.ports import Invocation, InvocationError

ACCOUNT, REGION = "222222222222", "eu-west-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:files"


def test_the_proxy_event_is_the_documented_one(deployed: Any, base: str) -> None:
    deployed.request(
        "POST",
        f"{base}/files/a%20b/c?x=1&x=2&y=%26&empty=",
        b"\x00\xff",
        {"X-CamelCase": "kept", "Content-Type": "text/plain", "User-Agent": "me"},
    )
    [event] = deployed.functions.events
    api_id = base.split("/")[1]
    context = event.pop("requestContext")
    headers, several = event.pop("headers"), event.pop("multiValueHeaders")
    assert event == {
        "resource": "/{proxy+}",
        "path": "/files/a%20b/c",
        "httpMethod": "POST",
        "queryStringParameters": {"x": "2", "y": "&", "empty": ""},
        "multiValueQueryStringParameters": {"x": ["1", "2"], "y": ["&"], "empty": [""]},
        "pathParameters": {"proxy": "files/a%20b/c"},
        "stageVariables": None,
        "body": base64.b64encode(b"\x00\xff").decode(),
        "isBase64Encoded": True,
    }
    assert headers["X-CamelCase"] == "kept"
    assert several["X-CamelCase"] == ["kept"]
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "https"
    assert headers["X-Amzn-Trace-Id"].startswith("Root=1-")
    assert "Content-Length" not in headers
    now = deployed.cloud.clock.timestamp()
    assert abs(context.pop("requestTimeEpoch") / 1000 - now) < 60
    assert context.pop("identity")["sourceIp"] == "127.0.0.1"
    for generated in ("requestId", "extendedRequestId", "requestTime", "resourceId"):
        assert context.pop(generated)
    assert context.pop("deploymentId") in {
        each["id"] for each in deployed.api.get_deployments(restApiId=api_id)["items"]
    }
    assert context == {
        "resourcePath": "/{proxy+}",
        "httpMethod": "POST",
        "path": "/dev/files/a%20b/c",
        "accountId": ACCOUNT,
        "protocol": "HTTP/1.1",
        "stage": "dev",
        "domainPrefix": api_id,
        "domainName": f"{api_id}.execute-api.{REGION}.amazonaws.com",
        "apiId": api_id,
    }


def test_the_function_is_invoked_by_its_alias_with_the_trace(deployed: Any, base: str) -> None:
    response = deployed.request("GET", base)
    [(account, region, function, qualifier, trace)] = deployed.functions.invoked
    assert (account, region, function, qualifier) == (ACCOUNT, REGION, FUNCTION, "live")
    assert trace.endswith(";Sampled=1")
    assert response.headers["X-Amzn-Trace-Id"] == trace
    [event] = deployed.functions.events
    assert (event["resource"], event["path"], event["body"]) == ("/", "/", None)
    assert event["pathParameters"] is None
    assert event["queryStringParameters"] is None
    assert event["isBase64Encoded"] is False


def test_repeated_headers_reach_the_function_separately(deployed: Any, base: str) -> None:
    headers = urllib3.HTTPHeaderDict()
    headers.add("X-Tag", "one")
    headers.add("X-Tag", "two")
    deployed.request("GET", f"{base}/x", headers=headers)
    [event] = deployed.functions.events
    assert event["headers"]["X-Tag"].split(", ")[-1] == "two"
    assert ", ".join(event["multiValueHeaders"]["X-Tag"]) == "one, two"


@pytest.mark.parametrize(
    ("answered", "status", "body", "headers"),
    [
        ({"statusCode": 201, "body": "made"}, 201, b"made", {"Content-Type": "application/json"}),
        ({"statusCode": "404", "body": None}, 404, b"", {}),
        (
            {"statusCode": 200, "headers": {"Content-Type": "text/x", "Date": "then", "N": 1}},
            200,
            b"",
            {"Content-Type": "text/x", "x-amzn-Remapped-Date": "then", "N": "1"},
        ),
        (
            {
                "statusCode": 200,
                "headers": {"Set-Cookie": "no", "Y": "y"},
                "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]},
            },
            200,
            b"",
            {"Set-Cookie": "a=1, b=2", "Y": "y"},
        ),
        ({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}, 200, b"\x00\xff", {}),
        ({"statusCode": 304, "body": "never sent"}, 304, b"", {}),
        ({"statusCode": 204, "headers": {"X": "x"}}, 204, b"", {"X": "x"}),
    ],
)
def test_a_proxy_response_reaches_the_client(
    deployed: Any, base: str, answered: Any, status: int, body: bytes, headers: dict[str, str]
) -> None:
    deployed.functions.answer = lambda _event: answered
    response = deployed.request("GET", f"{base}/x")
    assert (response.status, response.data) == (status, body)
    assert {name: response.headers[name] for name in headers} == headers
    assert response.headers["x-amzn-RequestId"]
    assert response.headers["x-amz-apigw-id"]
    assert ("Content-Length" in response.headers) == (status not in {204, 304})
    # The connection is still usable.
    assert deployed.request("GET", f"{base}/x").status == status


@pytest.mark.parametrize(
    "answered",
    [
        "text",
        None,
        [],
        {},
        {"statusCode": "x"},
        {"statusCode": True},
        {"statusCode": 9},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "more": 1},
        {"statusCode": 200, "headers": {"a": {}}},
        {"statusCode": 200, "headers": {"a": "b\r\nc: d"}},
        {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_a_malformed_proxy_response_is_a_502(deployed: Any, base: str, answered: Any) -> None:
    deployed.functions.answer = lambda _event: answered
    response = deployed.request("GET", f"{base}/x")
    assert (response.status, response.json()) == (502, {"message": "Internal server error"})


def test_the_execution_log_says_what_was_malformed(deployed: Any, base: str) -> None:
    deployed.functions.answer = lambda _event: "text"
    deployed.request("GET", f"{base}/x")
    api_id = base.split("/")[1]
    lines = deployed.lines(f"API-Gateway-Execution-Logs_{api_id}/dev", 2)
    assert "Malformed Lambda proxy response" in lines[0]
    assert lines[1].endswith("Method completed with status: 502")


def test_a_function_error_is_a_502(deployed: Any, base: str) -> None:
    deployed.functions.answer = lambda _event: Invocation(
        b'{"errorMessage": "broken"}', "Unhandled", "1"
    )
    response = deployed.request("GET", f"{base}/x")
    assert (response.status, response.json()) == (502, {"message": "Internal server error"})
    api_id = base.split("/")[1]
    assert "broken" in deployed.lines(f"API-Gateway-Execution-Logs_{api_id}/dev", 2)[0]


@pytest.mark.parametrize(
    ("code", "status"),
    [("TooManyRequestsException", 500), ("RequestTooLargeException", 413)],
)
def test_requests_that_lambda_rejects(deployed: Any, base: str, code: str, status: int) -> None:
    def reject(_event: Any) -> Any:
        raise InvocationError(code, "no")

    deployed.functions.answer = reject
    assert deployed.request("GET", f"{base}/x").status == status


def test_a_throttled_function_is_a_500_and_the_log_says_429(deployed: Any, base: str) -> None:
    """The client cannot see it ("Handling Lambda errors with an API Gateway API")."""

    def reject(_event: Any) -> Any:
        raise InvocationError("TooManyRequestsException", "Rate Exceeded.")

    deployed.functions.answer = reject
    response = deployed.request("GET", f"{base}/x")
    assert (response.status, response.json()) == (500, {"message": "Internal server error"})
    assert response.headers["x-amzn-ErrorType"] == "InternalServerErrorException"
    api_id = base.split("/")[1]
    status, reason, end = deployed.lines(f"API-Gateway-Execution-Logs_{api_id}/dev", 3)
    assert ") Lambda invocation failed with status: 429. Lambda request id: " in status
    assert reason.endswith(") Execution failed due to configuration error: Rate Exceeded.")
    assert end.endswith("Method completed with status: 500")


def test_without_permission_nothing_is_invoked_and_the_log_says_why(
    deployed: Any, base: str
) -> None:
    deployed.functions.allowed = False
    response = deployed.request("PUT", f"{base}/files/a")
    assert (response.status, response.json()) == (500, {"message": "Internal server error"})
    assert not deployed.functions.events
    api_id = base.split("/")[1]
    [asked] = deployed.functions.asked
    assert asked == {
        "function": (ACCOUNT, REGION, FUNCTION, "live"),
        "principal": "apigateway.amazonaws.com",
        "source_arn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{api_id}/dev/PUT/files/a",
    }
    lines = deployed.lines(f"API-Gateway-Execution-Logs_{api_id}/dev", 2)
    assert "Invalid permissions on Lambda function" in lines[0]


@pytest.mark.parametrize(
    ("path", "message"),
    [("/nosuchapi0/dev/x", "Forbidden"), ("{api}/other/x", "Forbidden"), ("/", "Forbidden")],
)
def test_an_unknown_api_or_stage_is_forbidden(
    deployed: Any, base: str, path: str, message: str
) -> None:
    response = deployed.request("GET", path.format(api="/" + base.split("/")[1]))
    assert (response.status, response.json()) == (403, {"message": message})
    assert response.headers["x-amzn-ErrorType"] == "ForbiddenException"


def test_headers_of_more_than_ten_kilobytes_are_too_large(deployed: Any, base: str) -> None:
    response = deployed.request("GET", f"{base}/x", headers={"X-Large": "x" * 10_240})
    expected = (431, {"message": "Request Header Fields Too Large"})
    assert (response.status, response.json()) == expected
    assert deployed.functions.events == []


def test_a_body_above_ten_megabytes_is_too_long(deployed: Any, base: str) -> None:
    response = deployed.request("PUT", f"{base}/x", b"x" * (10 * 1024 * 1024 + 1))
    assert (response.status, response.json()) == (413, {"message": "Request Too Long"})
    assert not deployed.functions.events


def test_a_late_response_is_a_504(deployed: Any) -> None:
    slow = deployed.template()
    slow["Resources"]["ProxyAny"]["Properties"]["Integration"]["TimeoutInMillis"] = 50
    stack = deployed.deploy(slow)
    url = stack["Outputs"][0]["OutputValue"].removeprefix(deployed.cloud.gateway_endpoint)
    release = threading.Event()

    def late(_event: Any) -> Any:
        release.wait(60)
        return {"statusCode": 200}

    deployed.functions.answer = late
    response = deployed.request("GET", f"{url}x")
    release.set()
    assert (response.status, response.json()) == (504, {"message": "Endpoint request timed out"})


def test_head_has_no_body_but_its_length(deployed: Any, base: str) -> None:
    deployed.functions.answer = lambda _event: {"statusCode": 200, "body": "four"}
    response = deployed.request("HEAD", f"{base}/x")
    assert (response.data, response.headers["Content-Length"]) == (b"", "4")


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, "https://a.example"),
        ({"Origin": "https://a.example"}, "https://a.example"),
        ({"origin": "https://b.example"}, "https://b.example"),
        ({"Origin": "https://c.example"}, "https://c.example"),
        ({"Origin": "https://evil.example"}, "https://a.example"),
    ],
)
def test_cors_preflight_is_answered_without_the_function(
    deployed: Any, base: str, headers: dict[str, str], origin: str
) -> None:
    response = deployed.request("OPTIONS", f"{base}/x", headers=headers)
    assert (response.status, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert response.headers["Vary"] == "Origin"
    assert not deployed.functions.events


def test_metrics_and_the_access_log_record_each_request(deployed: Any, base: str) -> None:
    statuses = iter([200, 404, 500])
    deployed.functions.answer = lambda _event: {"statusCode": next(statuses)}
    for _ in range(3):
        deployed.request("GET", f"{base}/x")
    deployed.request("OPTIONS", f"{base}/x")
    both = {"ApiName": deployed.name, "Stage": "dev"}
    watched = deployed.metrics
    assert watched.total_of(4, "Count", **both) == 4
    assert watched.total_of(4, "4XXError", **both) == 1
    assert watched.total_of(4, "5XXError", ApiName=deployed.name) == 1
    assert watched.total_of(4, "Latency", **both) >= 0
    assert watched.total_of(4, "IntegrationLatency", **both) >= 0
    assert watched.total_of(3, "5XXError", **both, Resource="/{proxy+}", Method="GET") == 1
    lines = [json.loads(line) for line in deployed.lines("access", 4)]
    assert [each["status"] for each in lines] == ["200", "404", "500", "204"]
    assert lines[0] == {"ip": "127.0.0.1", "status": "200", "path": "/{proxy+}", "user": "-"}


def test_without_its_log_role_an_api_is_served_and_its_log_is_lost(
    deployed: Any, base: str
) -> None:
    """As after the deletion of the stack that set the role (aws-cdk#10878, #12769)."""
    deployed.request("GET", f"{base}/x")
    deployed.lines("access", 1)
    stage = SimpleNamespace(account=ACCOUNT, region=REGION, log_stream="a")
    for service, line in (("lambda.amazonaws.com", "lost"), ("apigateway.amazonaws.com", "kept")):
        deployed.put_log_role(service)
        assert deployed.request("GET", f"{base}/x").status == 200
        telemetry = Telemetry(deployed.cloud.access, deployed.cloud.logs, deployed.metrics)
        telemetry.start()
        telemetry.log(stage, deployed.name, 0.0, line)  # type: ignore[arg-type]  # what it reads
        telemetry.stop()
    lines = deployed.lines("access", 2)
    assert "kept" in lines
    assert "lost" not in lines


def test_the_stage_is_throttled_by_its_settings(deployed: Any) -> None:
    slow = deployed.template(ThrottlingRateLimit=0.001, ThrottlingBurstLimit=2)
    url = deployed.deploy(slow)["Outputs"][0]["OutputValue"]
    path = url.removeprefix(deployed.cloud.gateway_endpoint)
    answers = [deployed.request("GET", f"{path}x") for _ in range(3)]
    assert [each.status for each in answers] == [200, 200, 429]
    assert answers[-1].json() == {"message": "Too Many Requests"}
    assert deployed.metrics.total_of(3, "4XXError", ApiName=deployed.name, Stage="dev") == 1
