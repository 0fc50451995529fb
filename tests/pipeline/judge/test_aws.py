"""The judge's port to AWS with partial, late, wrong or missing responses."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pipeline.judge.aws import AwsPort
from pipeline.judge.client import AwsError, Client, Response
from pipeline.judge.port import EvaluationError, StageCounts
from pipeline.names import GUARDS, SYNTHETIC, version_alarm_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.judge.settings import Settings

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
KEYS = {
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}
TARGET = {
    "deploymentTarget": {
        "lambdaTarget": {
            "lifecycleEvents": [
                {"lifecycleEventName": "BeforeAllowTraffic"},
                {"lifecycleEventName": "AllowTraffic", "startTime": 1767268830.5},
            ],
            "lambdaFunctionInfo": {"currentVersion": "2", "targetVersion": "3"},
        }
    }
}


class FakeClient:
    """Responds by operation, as a test sets."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    def call(self, _service: str, operation: str, parameters: Mapping[str, Any]) -> Response:
        self.asked.append((operation, parameters))
        answer = self.answers[operation]
        found = answer(parameters) if callable(answer) else answer
        return Response(json.dumps(found).encode(), NOON)


@pytest.fixture
def port(judge: Callable[[], Settings]) -> Callable[..., AwsPort]:
    def make(**answers: Any) -> AwsPort:
        client: Any = FakeClient(answers)
        return AwsPort(client, judge())

    return make


def _metrics(**changed: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return two invocations, counted once each, in every requested minute."""

    def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
        results = [
            {
                "Id": query["Id"],
                "StatusCode": "Complete",
                "Timestamps": [asked["StartTime"]],
                "Values": [2.0 if query["Id"].startswith(("requests", "invocations")) else 0.0],
            }
            for query in asked["MetricDataQueries"]
        ]
        return {"MetricDataResults": results} | {
            key: value(results) if callable(value) else value for key, value in changed.items()
        }

    return answer


def test_counts_are_queried_by_version(port: Any) -> None:
    asking = port(GetMetricData=_metrics())
    seen = asking.version_counts(("2", "3"), NOON, NOON.replace(minute=1))
    assert {version: (each.requests, each.invocations) for version, each in seen[NOON].items()} == {
        "2": (2, 2),
        "3": (2, 2),
    }
    ((_, asked),) = asking._client.asked
    metrics = [each["MetricStat"]["Metric"] for each in asked["MetricDataQueries"]]
    assert {(each["Namespace"], each["MetricName"]) for each in metrics} == {
        ("Pithead/Service", "Requests"), ("Pithead/Service", "Failures"),
        ("Pithead/Service", "SlowRequests"), ("Pithead/Service", "ColdStarts"),
        ("Pithead/Service", "WarmUps"), ("Pithead/Service", "ClientErrors"),
        ("AWS/Lambda", "Invocations"), ("AWS/Lambda", "Errors"), ("AWS/Lambda", "Throttles"),
    }  # fmt: skip
    for metric in metrics:
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        assert {"2", "3"} & set(dimensions.values())


def test_invocations_of_all_versions_are_queried_by_the_alias(port: Any) -> None:
    asking = port(GetMetricData=_metrics())
    seen = asking.stage_counts(NOON, NOON.replace(minute=1))
    assert seen == {NOON: StageCounts(2, 0, 0, 0, 2)}
    ((_, asked),) = asking._client.asked
    metrics = {each["Id"]: each["MetricStat"]["Metric"] for each in asked["MetricDataQueries"]}
    assert metrics["invocations"] == {
        "Namespace": "AWS/Lambda",
        "MetricName": "Invocations",
        "Dimensions": [
            {"Name": "FunctionName", "Value": "files-prod"},
            {"Name": "Resource", "Value": "files-prod:live"},
        ],
    }


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"MetricDataResults": lambda results: results[1:]},
            "incomplete; missing is requests0",
        ),
        (
            {"MetricDataResults": lambda results: [results[0] | {"StatusCode": "PartialData"},
                                                   *results[1:]]},
            "incomplete; missing is requests0",
        ),
        (
            {"MetricDataResults": lambda results: [*results[:-1],
                                                   results[-1] | {"StatusCode": "Forbidden"}]},
            "incomplete; missing is throttles1",
        ),
        ({"MetricDataResults": []}, "incomplete; missing is client_errors0, client_errors1, "),
        ({"NextToken": "more"}, "incomplete; missing is a further page"),
        (
            {"MetricDataResults": lambda results: [results[0] | {"Values": [1.5]}, *results[1:]]},
            r"found 1\.5 for requests0; a count is a whole number",
        ),
    ],
)  # fmt: skip
def test_an_incomplete_response_is_an_error(
    port: Any, changed: dict[str, Any], message: str
) -> None:
    asking = port(GetMetricData=_metrics(**changed))
    with pytest.raises(EvaluationError, match=message):
        asking.version_counts(("2", "3"), NOON, NOON.replace(minute=1))


def _info(name: str, created: int, **more: Any) -> dict[str, Any]:
    return {"deploymentId": name, "createTime": created, "status": "InProgress"} | more


def test_the_newest_deployment_that_is_no_rollback_is_read(port: Any) -> None:
    infos = {
        "d-1": _info("d-1", 1, status="Succeeded"),
        "d-2": _info(
            "d-2",
            2,
            status="Stopped",
            completeTime=1767269000,
            errorInformation={"message": "Activated alarms: <a>"},
        ),
        "d-3": _info("d-3", 3, creator="codeDeployRollback"),
    }
    asking = port(
        ListDeployments={"deployments": ["d-3", "d-2", "d-1"]},
        GetDeployment=lambda asked: {"deploymentInfo": infos[asked["deploymentId"]]},
        ListDeploymentTargets={"targetIds": ["files:live"]},
        GetDeploymentTarget=TARGET,
    )
    found = asking.newest_deployment(NOON)
    assert (found.id, found.stable, found.canary, found.ending) == ("d-2", "2", "3", "stopped")
    assert f"{found.began:%H:%M:%S.%f} {found.completed:%H:%M:%S}" == "12:00:30.500000 12:03:20"
    assert found.reason == "Activated alarms: <a>"


@pytest.mark.parametrize(("ids", "targets"), [([], ["files:live"]), (["d-1"], [])])
def test_a_deployment_without_a_target_is_ignored(
    port: Any, ids: list[str], targets: list[str]
) -> None:
    asking = port(
        ListDeployments={"deployments": ids},
        GetDeployment={"deploymentInfo": _info("d-1", 1)},
        ListDeploymentTargets={"targetIds": targets},
        GetDeploymentTarget=TARGET,
    )
    assert asking.newest_deployment(NOON) is None


def test_every_alarm_of_a_version_is_queried(port: Any) -> None:
    names = [version_alarm_name("prod", "3", each) for each in GUARDS]
    red = version_alarm_name("prod", "3", SYNTHETIC)

    def described(asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked == {"AlarmNames": names}
        return {
            "MetricAlarms": [
                {"AlarmName": each, "StateValue": "ALARM" if each == red else "OK"}
                for each in names
            ]
        }

    assert port(DescribeAlarms=described).alarms("3") == (red,)
    missing = port(DescribeAlarms={"MetricAlarms": []})
    with pytest.raises(EvaluationError, match=f"alarm {names[0]}, "):
        missing.alarms("3")


def test_a_stop_moves_the_traffic_back(port: Any) -> None:
    stops = port(StopDeployment={"status": "Pending"})
    stops.stop("d-1")
    asked = {"deploymentId": "d-1", "autoRollbackEnabled": True}
    assert stops._client.asked == [("StopDeployment", asked)]


@pytest.mark.parametrize("code", ["DeploymentAlreadyCompletedException", "ThrottlingException"])
def test_only_an_ended_deployment_need_not_be_stopped(port: Any, code: str) -> None:
    def answer(_asked: Mapping[str, Any]) -> None:
        raise AwsError("codedeploy answered 400", 400, code)

    stops = port(StopDeployment=answer)
    if code == "ThrottlingException":
        with pytest.raises(AwsError):
            stops.stop("d-1")
    else:
        stops.stop("d-1")


class _Endpoint(BaseHTTPRequestHandler):
    status: ClassVar[int] = 200

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b'{"__type": "ThrottlingException"}'
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_an_access_denied_error_is_reported(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(_Endpoint, "status", status)
    client = Client(KEYS | {"AWS_ENDPOINT_URL": endpoint})
    with pytest.raises(
        AwsError, match=f"monitoring answered {status}: .*ThrottlingException"
    ) as error:
        client.call("monitoring", "GetMetricData", {})
    assert (error.value.status, error.value.code) == (status, "ThrottlingException")
    with pytest.raises(AwsError, match=f"lambda answered {status}"):
        client.alias("files", "live")
    if status == 404:
        assert client.read("bucket", "key") is None
    with pytest.raises(AwsError, match=f"s3 answered {status}"):
        client.write("bucket", "key", b"{}")


def test_an_unreachable_endpoint_is_reported() -> None:
    client = Client(KEYS | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(EvaluationError, match="codedeploy did not answer: ConnectionRefusedError"):
        client.call("codedeploy", "ListDeployments", {})


def test_a_response_has_the_time_of_its_server(endpoint: str) -> None:
    client = Client(KEYS | {"AWS_ENDPOINT_URL": endpoint})
    answer = client.alias("files", "live")
    assert answer.at.tzinfo is UTC
    assert answer.document == {"__type": "ThrottlingException"}
