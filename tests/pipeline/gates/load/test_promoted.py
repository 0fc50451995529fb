"""What was promoted last, and that it is served; AWS's answers are held against its own models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from environments.schema import load
from pipeline.gates import aws
from pipeline.gates.gate import CouldNotRunError
from pipeline.gates.load import promoted
from pipeline.names import PIPELINE
from tests.pipeline.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline.served import Served

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMIT, OTHER = "unknown", "b" * 40
"""What a service serves that nobody deployed, and another one."""
FUNCTION = "arn:aws:lambda:eu-west-1:333333333333:function:files"
ROLE = "arn:aws:iam::333333333333:role/files-staging-promoted"


class Aws:
    """Clients whose questions and answers a test writes down beforehand."""

    def __init__(self) -> None:
        self._clients = {
            name: boto3.client(  # type: ignore[call-overload]  # boto3's overloads want literals
                name, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
            )
            for name in ("codepipeline", "lambda")
        }
        self.pipeline, self.lambda_ = (Stubber(client) for client in self._clients.values())

    def client(self, service: str) -> Any:
        return self._clients[service]

    def assumed(self, role_arn: str, service: str, region: str) -> Any:
        assert (role_arn, region) == (ROLE, "eu-west-1")
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

    def versions(self, *commits: str | None, marker: str = "", **more: str) -> None:
        """Numbered from 1, after `$LATEST`; None is one that no pipeline has made."""
        answer: dict[str, Any] = {
            "Versions": [
                {"Version": number, "Environment": {"Variables": {"COMMIT": commit}}}
                if commit
                else {"Version": number}
                for number, commit in zip(
                    ["$LATEST", *map(str, range(1, 1 + len(commits)))],
                    [COMMIT, *commits],
                    strict=True,
                )
            ]
        }
        if marker:
            answer["NextMarker"] = marker
        self.lambda_.add_response(
            "list_versions_by_function", answer, {"FunctionName": FUNCTION} | more
        )

    def points_at(self, version: str) -> None:
        asked = {"FunctionName": FUNCTION, "Name": "promoted", "FunctionVersion": version}
        self.lambda_.add_response("update_alias", {}, asked)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    cloud = Aws()
    monkeypatch.setattr(aws, "client", cloud.client)
    monkeypatch.setattr(aws, "assumed", cloud.assumed)
    with cloud.pipeline, cloud.lambda_:
        yield cloud
        cloud.pipeline.assert_no_pending_responses()
        cloud.lambda_.assert_no_pending_responses()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve() as served:
        yield served


def _serve(url: str, commit: str = COMMIT) -> bool:
    return promoted.serve(commit, f"{FUNCTION}:promoted", url, "staging", load("staging"))


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
    assert promoted.commit() == "good-commit"


def test_before_the_first_release_there_is_none(cloud: Aws) -> None:
    cloud.executions(("now", "InProgress", "STANDARD"))
    assert promoted.commit() is None


def test_that_aws_does_not_let_it_look_is_no_verdict(cloud: Aws) -> None:
    cloud.pipeline.add_client_error("list_pipeline_executions", "AccessDenied")
    with pytest.raises(CouldNotRunError, match=r"AWS did not tell .* \(AccessDenied\)"):
        promoted.commit()


def test_the_alias_is_pointed_at_the_newest_version_of_the_commit(
    cloud: Aws, served: Served
) -> None:
    """The commit's version 10 is newer than 9: numbers, and no texts."""
    cloud.versions(OTHER, None, COMMIT, *[OTHER] * 5, COMMIT, COMMIT, marker="more")
    cloud.versions(OTHER, Marker="more")
    cloud.points_at("10")
    assert _serve(served.url)


def test_a_commit_that_was_never_there_cannot_be_served(cloud: Aws) -> None:
    cloud.versions(OTHER, None)
    assert not _serve("http://127.0.0.1:1/")


@pytest.mark.parametrize("refused", ["list_versions_by_function", "update_alias"])
def test_that_it_may_not_be_pointed_is_no_verdict(cloud: Aws, refused: str) -> None:
    if refused == "update_alias":
        cloud.versions(COMMIT)
    cloud.lambda_.add_client_error(refused, "AccessDeniedException")
    with pytest.raises(CouldNotRunError, match="unknown, promoted last, could not be served in st"):
        _serve("http://127.0.0.1:1/")


def test_an_api_that_goes_on_to_serve_another_commit_is_no_verdict(
    cloud: Aws, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promoted, "_SETTLED", 0.2)
    cloud.versions(OTHER)
    cloud.points_at("1")
    with pytest.raises(CouldNotRunError, match=rf"^{served.url} serves unknown; allowed is bbb"):
        _serve(served.url, OTHER)


def test_an_api_that_does_not_answer_is_no_verdict(
    cloud: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promoted, "_SETTLED", 0.2)
    cloud.versions(COMMIT)
    cloud.points_at("1")
    with pytest.raises(CouldNotRunError, match=r"serves no version .*Connection refused"):
        _serve("http://127.0.0.1:1/")
