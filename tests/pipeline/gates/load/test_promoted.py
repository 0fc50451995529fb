"""What was promoted last, out of answers that botocore holds against AWS's own model."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from pipeline.gates import aws
from pipeline.gates.gate import CouldNotRunError
from pipeline.gates.load.measured import Measured
from pipeline.gates.load.promoted import REPORT, Promoted, last, record
from pipeline.names import PIPELINE

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACE = {"bucket": "artifacts", "key": "pithead/Load/1.zip"}


class Aws:
    """Clients whose questions and answers a test writes down beforehand."""

    def __init__(self) -> None:
        self._clients = {
            name: boto3.client(  # type: ignore[call-overload]  # boto3's overloads want literals
                name,
                region_name="eu-west-1",
                aws_access_key_id="x",
                aws_secret_access_key="x",
            )
            for name in ("codepipeline", "s3")
        }
        self.pipeline, self.s3 = (Stubber(client) for client in self._clients.values())

    def client(self, service: str) -> Any:
        return self._clients[service]

    def executions(self, *executions: tuple[str, str, str], token: str = "", **more: str) -> None:
        """Newest first: identifier, status, and type."""
        answer: dict[str, Any] = {
            "pipelineExecutionSummaries": [
                {
                    "pipelineExecutionId": name,
                    "status": status,
                    "executionType": kind,
                    "startTime": NOW,
                    "sourceRevisions": [{"actionName": "Git", "revisionId": f"{name}-commit"}],
                }
                for name, status, kind in executions
            ]
        }
        if token:
            answer["nextToken"] = token
        asked = {"pipelineName": PIPELINE} | more
        self.pipeline.add_response("list_pipeline_executions", answer, asked)

    def actions(self, execution: str, *actions: tuple[str, str, str]) -> None:
        """Stage, name and status."""
        answer = {
            "actionExecutionDetails": [
                {
                    "stageName": stage,
                    "actionName": name,
                    "status": status,
                    "output": {"outputArtifacts": [{"name": "Load", "s3location": PLACE}]},
                }
                for stage, name, status in actions
            ]
        }
        asked = {"pipelineName": PIPELINE, "filter": {"pipelineExecutionId": execution}}
        self.pipeline.add_response("list_action_executions", answer, asked)

    def artifact(self, **files: str) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        body = packed.getvalue()
        answer = {"Body": StreamingBody(io.BytesIO(body), len(body))}
        asked = {"Bucket": PLACE["bucket"], "Key": PLACE["key"]}
        self.s3.add_response("get_object", answer, asked)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    cloud = Aws()
    monkeypatch.setattr(aws, "client", cloud.client)
    with cloud.pipeline, cloud.s3:
        yield cloud
        cloud.pipeline.assert_no_pending_responses()
        cloud.s3.assert_no_pending_responses()


def _measured() -> Measured:
    seen = Measured(5.0)
    seen.answered("read", 1.0, 12.0, None)
    return seen


def test_the_newest_execution_that_reached_its_end_was_promoted_last(cloud: Aws) -> None:
    cloud.executions(
        ("now", "InProgress", "STANDARD"),
        ("bad", "Failed", "STANDARD"),
        ("back", "Succeeded", "ROLLBACK"),
        token="more",
    )
    cloud.executions(
        ("good", "Succeeded", "STANDARD"), ("older", "Succeeded", "STANDARD"), nextToken="more"
    )
    cloud.actions(
        "good",
        ("prod", "Load", "Succeeded"),
        ("staging", "Load", "Failed"),  # and then retried
        ("staging", "Load", "Succeeded"),
    )
    cloud.artifact(**{REPORT: record("a way", _measured()), "load.html": "<html>"})
    found = last("a way")
    assert isinstance(found, Promoted)
    assert found.commit == "good-commit"
    assert found.measured.document() == _measured().document()


def test_before_the_first_release_there_is_none(cloud: Aws) -> None:
    cloud.executions(("now", "InProgress", "STANDARD"))
    assert last("a way") == "nothing was promoted before"


def test_a_release_without_a_load_gate_left_nothing(cloud: Aws) -> None:
    cloud.executions(("good", "Succeeded", "STANDARD"))
    cloud.actions("good", ("dev", "Integration", "Succeeded"))
    assert last("a way") == "good-co, promoted last, left no measurements to compare with"


def test_an_artifact_without_the_report_left_nothing(cloud: Aws) -> None:
    cloud.executions(("good", "Succeeded", "STANDARD"))
    cloud.actions("good", ("staging", "Load", "Succeeded"))
    cloud.artifact(**{"load.json": "{}"})
    assert last("a way") == "good-co, promoted last, left no measurements to compare with"


@pytest.mark.parametrize("report", [{"way": "another", "seen": "otherwise"}, {"anything": 1}])
def test_what_was_measured_in_another_way_is_not_compared(
    cloud: Aws, report: dict[str, Any]
) -> None:
    cloud.executions(("good", "Succeeded", "STANDARD"))
    cloud.actions("good", ("staging", "Load", "Succeeded"))
    cloud.artifact(**{REPORT: json.dumps(report)})
    assert last("a way") == "good-co, promoted last, was measured in another way"


def test_an_artifact_that_is_not_kept_any_more_left_nothing(cloud: Aws) -> None:
    cloud.executions(("good", "Succeeded", "STANDARD"))
    cloud.actions("good", ("staging", "Load", "Succeeded"))
    cloud.s3.add_client_error("get_object", "NoSuchKey")
    assert last("a way") == "good-co, promoted last, left no measurements to compare with"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"way": "a way"}',
        json.dumps({"way": "a way", "measured": {}}),
    ],
)
def test_a_report_that_cannot_be_read_is_no_verdict(cloud: Aws, text: str) -> None:
    cloud.executions(("good", "Succeeded", "STANDARD"))
    cloud.actions("good", ("staging", "Load", "Succeeded"))
    cloud.artifact(**{REPORT: text})
    with pytest.raises(CouldNotRunError, match=rf"{REPORT} of good-co, promoted last, cannot be"):
        last("a way")


@pytest.mark.parametrize("body", [b"", b"no zip"])
def test_an_artifact_that_is_no_zip_is_no_verdict(cloud: Aws, body: bytes) -> None:
    cloud.executions(("good", "Succeeded", "STANDARD"))
    cloud.actions("good", ("staging", "Load", "Succeeded"))
    answer = {"Body": StreamingBody(io.BytesIO(body), len(body))}
    cloud.s3.add_response("get_object", answer)
    with pytest.raises(CouldNotRunError, match="artifact of the load gate of good-co"):
        last("a way")


def test_that_aws_does_not_let_it_look_is_no_verdict(cloud: Aws) -> None:
    cloud.executions(("good", "Succeeded", "STANDARD"))
    cloud.actions("good", ("staging", "Load", "Succeeded"))
    cloud.s3.add_client_error("get_object", "AccessDenied")
    with pytest.raises(CouldNotRunError, match=r"AWS did not tell .* \(AccessDenied\)"):
        last("a way")
