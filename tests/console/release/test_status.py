"""`pithead status` and `pithead logs`, with answers that match botocore's models."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from console import cli
from console.aws.health import Health
from pipeline.judge.statistics.judging import line
from tests.console.conftest import git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipeline.judge.statistics.record import Record
    from tests.console.fakes import FakeAws, FakePipeline

START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if self.path.endswith("/ready") else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """A service that is alive and not ready."""
    with HTTPServer(("127.0.0.1", 0), _Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/prod/"
        server.shutdown()
        thread.join()


def responses(**counts: int) -> Callable[..., dict[str, Any]]:
    """API Gateway's counts in two of five minutes; no values of other metrics.

    They end three minutes ago, since its metrics are late. What is older does not count.
    """

    def answered(**asked: Any) -> dict[str, Any]:
        metrics = [each["MetricStat"]["Metric"] for each in asked["MetricDataQueries"]]
        if metrics[0]["Namespace"] != "AWS/ApiGateway":
            return {"MetricDataResults": []}
        for metric in metrics:
            assert metric["Dimensions"] == [
                {"Name": "ApiName", "Value": "files-prod"},
                {"Name": "Stage", "Value": "prod"},
            ]
        newest = asked["EndTime"].replace(second=0, microsecond=0) - timedelta(minutes=4)
        times = [newest - timedelta(minutes=minutes) for minutes in (0, 4, 5)]
        assert asked["StartTime"] <= times[-1]
        return {
            "MetricDataResults": [
                {"Id": name, "Timestamps": times, "Values": [count / 2, count / 2, 1000.0]}
                for name, count in counts.items()
            ]
        }

    return answered


@pytest.fixture
def delivery(
    aws: FakeAws, pipeline: FakePipeline, url: str, monkeypatch: pytest.MonkeyPatch
) -> FakeAws:
    """A canary in progress in prod, nothing in staging, and an unreadable account for dev."""

    def stack(**asked: Any) -> Any:
        if asked["StackName"] != "prod-files":
            return aws.client("cloudformation").error(
                "ValidationError", "Stack with id staging-files does not exist", "DescribeStacks"
            )
        outputs = [{"OutputKey": "Url", "OutputValue": url}]
        described = {"CreationTime": START, "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}
        return {"Stacks": [{"StackName": "prod-files"} | described]}

    resources = {
        "AWS::Lambda::Alias": "arn:aws:lambda:eu-west-1:444444444444:function:files:live",
        "AWS::CodeDeploy::Application": "application",
        "AWS::CodeDeploy::DeploymentGroup": "group",
    }
    aws.unreadable.add("222222222222")
    aws.answers |= {
        ("sts", "get_caller_identity"): {"Account": "1" * 12},
        ("cloudformation", "describe_stacks"): stack,
        ("cloudformation", "describe_stack_resources"): {
            "StackResources": [
                {
                    "LogicalResourceId": "Id",
                    "PhysicalResourceId": physical,
                    "ResourceType": kind,
                    "ResourceStatus": "CREATE_COMPLETE",
                    "Timestamp": START,
                }
                for kind, physical in resources.items()
            ]
        },
        ("lambda", "get_alias"): {
            "FunctionVersion": "2",
            "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}},
        },
        ("lambda", "get_function_configuration"): {
            "Environment": {"Variables": {"COMMIT": "c0ffee"}},
            "LoggingConfig": {"LogGroup": "the-functions-group"},
        },
        ("codedeploy", "list_deployments"): {"deployments": []},
        ("cloudwatch", "describe_alarms"): {"MetricAlarms": [], "CompositeAlarms": []},
        ("cloudwatch", "get_metric_data"): responses(requests=200, failures=2, client_errors=9),
    }
    pipeline.execution("one", 0, commit="c0ffee", status="Succeeded", updated=60)
    pipeline.stage("one", "prod", 10, 60)
    pipeline.execution("two", 100, commit="decaf0")
    pipeline.action("two", "prod", "files.Prepare", 100, 110)
    pipeline.action("two", "prod", "files.Deploy", 110, 110, status="InProgress")
    for module in ("status", "logs"):
        monkeypatch.setattr(f"console.commands.{module}.connect", lambda _: (aws, "to a test"))
    return aws


@pytest.fixture
def judged(delivery: FakeAws, decided: Callable[..., Record]) -> Record:
    """The judge's part of the document."""
    record: Record = decided()
    before = delivery.answers[("cloudformation", "describe_stacks")]

    def stack(**asked: Any) -> Any:
        found = before(**asked)
        if isinstance(found, dict):
            bucket = {"OutputKey": "Decisions", "OutputValue": "decisions"}
            found["Stacks"][0]["Outputs"].append(bucket)
        return found

    info = {"deploymentId": "d-SHIFT", "createTime": START, "status": "InProgress"}
    versions = {"currentVersion": "2", "targetVersion": "3"}
    target = {"lambdaTarget": {"lambdaFunctionInfo": versions}}
    delivery.answers |= {
        ("cloudformation", "describe_stacks"): stack,
        ("codedeploy", "list_deployments"): {"deployments": ["d-SHIFT"]},
        ("codedeploy", "get_deployment"): {"deploymentInfo": info},
        ("codedeploy", "list_deployment_targets"): {"targetIds": ["files:live"]},
        ("codedeploy", "get_deployment_target"): {"deploymentTarget": target},
        ("s3", "get_object"): lambda **_: {"Body": io.BytesIO(record.text().encode())},
    }
    return record


def pithead(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["pithead", *arguments])
    return cli.main()


def test_status_as_json(
    folder: Path,
    delivery: FakeAws,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pithead(monkeypatch, "status", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    dev, staging, prod = document.pop("environments")
    assert dev["unseen"] == "account 222222222222 cannot be read: AccessDenied"
    assert staging == dict.fromkeys(staging) | {
        "problems": [],
        "alarms": [],
        "name": "staging",
        "account": "333333333333",
        "region": "eu-west-1",
    }
    assert prod == {
        "name": "prod",
        "account": "444444444444",
        "region": "eu-west-1",
        "url": url,
        "version": "2",
        "commit": "c0ffee",
        "weights": {"2": 0.9, "3": 0.1},
        "healthy": False,
        "problems": ["not ready"],
        "health": {"alive": True, "ready": False, "reason": f"{url}ready: 503"},
        "responses": {
            "minutes": 5,
            "requests": 200,
            "failures": 2,
            "client_errors": 9,
            "until": prod["responses"]["until"],
        },
        "alarms": [],
        "deployment": None,
        "unseen": None,
        "outcome": {
            "ending": "promoted",
            "sentence": "",
            "time": "2026-01-01T12:01:00+00:00",
            "execution": "one",
        },
        "judge": None,
    }
    stages = document["pipeline"].pop("stages")
    assert document == {
        "schema": 1,
        "endpoint": None,
        "time": START.isoformat(),
        "pipeline": {
            "name": "pithead",
            "execution": "two",
            "status": "InProgress",
            "commit": "decaf0",
            "started": "2026-01-01T12:01:40+00:00",
        },
    }
    assert [each["status"] for each in stages if each["name"] == "prod"] == ["InProgress"]


def test_status_has_the_judges_verdict(
    folder: Path,
    judged: Record,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pithead(monkeypatch, "status", "--json") == 0
    *_, prod = json.loads(capsys.readouterr().out)["environments"]
    assert prod["judge"] == {
        "deployment": "d-SHIFT",
        "version": "3",
        "evidence": judged.evidence[-1],
        "line": line(judged.parameters),
        "verdict": "rollback",
        "incident": False,
        "outcome": "in progress",
        "sentence": judged.sentence,
    }
    assert pithead(monkeypatch, "status") == 0
    shown = capsys.readouterr().out
    assert f"  the judge of version 3 (in progress): {judged.sentence}" in shown
    assert "last shift d-SHIFT" in shown


def test_status_as_a_table(
    folder: Path,
    delivery: FakeAws,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    assert pithead(monkeypatch, "status") == 0
    shown = capsys.readouterr().out
    prod = next(line for line in shown.splitlines() if line.startswith("prod "))
    for part in ("c0ffee", "90% → 2, 10% → 3", "not ready", "promoted"):
        assert part in prod
    answered = (
        f"prod  {re.escape(url)}  2 of 200 requests failed in the 5 min to .{{5}}, 9 answered"
    )
    assert re.search(answered, shown)
    assert "dev: account 222222222222 cannot be read: AccessDenied" in shown
    assert "● execution two of decaf0: InProgress" in shown


def test_health_comes_from_the_deployed_service(
    folder: Path,
    delivery: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    alarm = {
        "AlarmName": "files-prod-new-version-failures",
        "StateUpdatedTimestamp": START,
        "StateReason": "1 of 1 datapoints was above 0.05",
    }
    red = {"MetricAlarms": [alarm], "NextToken": "more"}
    composite = {"CompositeAlarms": [alarm | {"AlarmName": "files-prod-any"}]}

    def alarms(**asked: Any) -> dict[str, Any]:
        assert asked["AlarmNamePrefix"] == "files-prod-"
        assert asked["StateValue"] == "ALARM"
        return composite if "NextToken" in asked else red

    monkeypatch.setattr("console.release.status.health", lambda _: Health(alive=True, ready=True))
    delivery.answers[("cloudwatch", "get_metric_data")] = responses(requests=40, failures=40)
    delivery.answers[("cloudwatch", "describe_alarms")] = alarms
    assert pithead(monkeypatch, "status", "--json") == 0
    *_, prod = json.loads(capsys.readouterr().out)["environments"]
    assert (prod["healthy"], prod["problems"]) == (
        False,
        ["100% of requests fail", "2 red alarms"],
    )
    assert prod["alarms"][1] == {
        "name": "files-prod-new-version-failures",
        "since": START.isoformat(),
        "reason": "1 of 1 datapoints was above 0.05",
    }
    monkeypatch.setenv("COLUMNS", "130")
    assert pithead(monkeypatch, "status") == 0
    shown = capsys.readouterr().out
    assert "100% of requests fail, 2 red alarms" in shown
    assert "40 of 40 requests failed in the 5 min to " in shown
    assert "  red: files-prod-any since 12:00:00: 1 of 1 datapoints was above 0.05" in shown

    delivery.answers[("cloudwatch", "get_metric_data")] = responses()
    delivery.answers[("cloudwatch", "describe_alarms")] = {"MetricAlarms": []}
    assert pithead(monkeypatch, "status") == 0
    assert "healthy" in capsys.readouterr().out


def test_logs_of_an_environment(
    folder: Path,
    delivery: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[dict[str, Any]] = []

    def events(**parameters: Any) -> dict[str, Any]:
        asked.append(parameters)
        if "nextToken" not in parameters:
            early = {"eventId": "1", "timestamp": 1767268800123, "message": "first\n"}
            return {"events": [early], "nextToken": "more"}
        return {"events": [{"eventId": "2", "timestamp": 1767268801000, "message": "second"}]}

    delivery.answers[("logs", "filter_log_events")] = events
    assert pithead(monkeypatch, "logs", "--since", "10m", "--filter", 'say "no"') == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["12:00:00.123  first", "12:00:01.000  second"]
    assert shown.err == "to a test\n"
    assert asked[0] == {
        "logGroupName": "the-functions-group",
        "startTime": int(START.timestamp() * 1000) - 600_000,
        "filterPattern": '"say \\"no\\""',
    }


def test_logs_of_nothing_deployed_are_an_error(
    folder: Path,
    delivery: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert pithead(monkeypatch, "logs", "staging") == 1
    assert "staging: nothing is deployed yet" in capsys.readouterr().err
    assert pithead(monkeypatch, "logs", "build") == 1
    assert "execution two has no builds yet" in capsys.readouterr().err


def test_a_rollback_by_hand_is_not_a_promotion(
    folder: Path,
    delivery: FakeAws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    older = git(folder, "rev-parse", "HEAD")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "Newer")
    newer = git(folder, "rev-parse", "HEAD")
    monkeypatch.setattr("console.commands.status.repository_url", lambda *_: str(folder))
    listed = delivery.answers[("codepipeline", "list_pipeline_executions")]
    for serves, ending in ((newer, "promoted"), (older, "rolled_back")):

        def summaries(**asked: Any) -> Any:
            answer = listed(**asked)
            for each in answer["pipelineExecutionSummaries"]:
                each["sourceRevisions"][0]["revisionId"] = newer
            return answer

        delivery.answers |= {
            ("codepipeline", "list_pipeline_executions"): summaries,
            ("lambda", "get_function_configuration"): {
                "Environment": {"Variables": {"COMMIT": serves}}
            },
        }
        assert pithead(monkeypatch, "status", "--json") == 0
        *_, prod = json.loads(capsys.readouterr().out)["environments"]
        assert prod["outcome"]["ending"] == ending
    assert prod["outcome"]["sentence"] == (
        f"the execution succeeded, but prod serves version 2 of commit {older[:7]}: "
        "traffic was moved back by hand"
    )


def test_logs_of_one_build(
    folder: Path,
    delivery: FakeAws,
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline.action("one", "Build", "Synth", 1, 2, external="synth:1")
    pipeline.action("one", "staging", "Load", 2, 3, external="load:1")
    asked: list[list[str]] = []

    def builds(**wanted: Any) -> dict[str, Any]:
        asked.append(wanted["ids"])
        return {"builds": [{"logs": {"groupName": "builds", "streamName": "s"}}]}

    line = {"eventId": "1", "timestamp": 1767268800123, "message": "E   assert 1 == 2"}
    delivery.answers |= {
        ("codebuild", "batch_get_builds"): builds,
        ("logs", "filter_log_events"): {"events": [line]},
    }
    assert pithead(monkeypatch, "logs", "build", "--execution", "on", "--action", "Synth") == 0
    assert capsys.readouterr().out == "12:00:00.123  E   assert 1 == 2\n"
    assert asked == [["synth:1"]]
    for arguments, code, printed in (
        (
            ["build", "--execution", "xy"],
            1,
            "--execution: found 'xy'; the newest executions are one, two",
        ),
        (
            ["build", "--execution", "one", "--action", "No"],
            1,
            "--action: found 'No'; execution one has Synth, Load",
        ),
        (
            ["prod", "--action", "Synth"],
            2,
            "--execution and --action: found for prod; allowed only for pithead logs build",
        ),
    ):
        assert pithead(monkeypatch, "logs", *arguments) == code
        assert printed in capsys.readouterr().err


def test_status_of_an_interrupted_execution_names_the_next_command(
    folder: Path,
    delivery: FakeAws,
    pipeline: FakePipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    why = "Interrupted: the local cloud stopped during this execution"
    pipeline.execution("two", 100, commit="decaf0", status="Failed", summary=why)
    assert pithead(monkeypatch, "status") == 0
    assert (
        f"{why}. Next: pithead release explains it, or starts it again" in capsys.readouterr().out
    )
