"""The promoted release and how it is served, with stubbed responses of AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from environments.schema import load
from pipeline.gates import aws
from pipeline.gates.load import promoted
from pipeline.gates.report.result import CouldNotRunError
from tests.pipeline.served import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.pipeline.served import Served

NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMIT, OTHER = "unknown", "b" * 40
"""The commit of a service that no one deployed, and another one."""
FUNCTION = "arn:aws:lambda:eu-west-1:333333333333:function:files"
PROD = "arn:aws:lambda:eu-west-1:444444444444:function:files"
LOOKUP = "arn:aws:iam::444444444444:role/cdk-hnb659fds-lookup-role-444444444444-eu-west-1"
ROLE = "arn:aws:iam::333333333333:role/files-staging-promoted"


class Aws:
    """Clients with requests and responses that a test stubs."""

    def __init__(self) -> None:
        self._clients = {
            name: boto3.client(
                name, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
            )
            for name in ("cloudformation", "lambda")
        }
        self.stacks, self.lambda_ = (Stubber(client) for client in self._clients.values())
        self.policies: set[str | None] = set()

    def assumed(
        self, role_arn: str, service: str, region: str, *, policy: str | None = None
    ) -> Any:
        assert (role_arn, region) == (LOOKUP if policy else ROLE, "eu-west-1")
        self.policies.add(policy)
        return self._clients[service]

    def resources(self, *resources: tuple[str, str]) -> None:
        """Stub the type and physical id of each resource of prod's stack."""
        answer = {
            "StackResources": [
                {
                    "LogicalResourceId": f"R{number}",
                    "ResourceType": kind,
                    "PhysicalResourceId": name,
                    "ResourceStatus": "CREATE_COMPLETE",
                    "Timestamp": NOW,
                }
                for number, (kind, name) in enumerate(resources)
            ]
        }
        self.stacks.add_response("describe_stack_resources", answer, {"StackName": "prod-files"})

    def serves(self, version: str, commit: str | None, weights: dict[str, float]) -> None:
        """Stub the version of prod's alias."""
        self.lambda_.add_response(
            "get_alias",
            {
                "FunctionVersion": version,
                "RoutingConfig": {"AdditionalVersionWeights": weights},
            },
            {"FunctionName": "files", "Name": "live"},
        )
        variables = {"COMMIT": commit} if commit else {}
        self.lambda_.add_response(
            "get_function_configuration",
            {"Environment": {"Variables": variables}},
            {"FunctionName": "files", "Qualifier": version},
        )

    def versions(self, *commits: str | None, marker: str = "", **more: str) -> None:
        """Stub versions from 1, after `$LATEST`; None is one without a commit."""
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
    monkeypatch.setattr(aws, "assumed", cloud.assumed)
    with cloud.stacks, cloud.lambda_:
        yield cloud
        cloud.stacks.assert_no_pending_responses()
        cloud.lambda_.assert_no_pending_responses()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serve() as served:
        yield served


def _serve(url: str, commit: str = COMMIT) -> bool:
    return promoted.serve(commit, f"{FUNCTION}:promoted", url, "staging", load("staging"))


def _serving_prod() -> str | None:
    return promoted.commit("prod", load("prod"))


def test_the_commit_is_that_of_the_version_that_serves_prod(cloud: Aws) -> None:
    """Not of a canary or another alias, but of the stable version after a rollback."""
    cloud.resources(
        ("AWS::Lambda::Function", "files"),
        ("AWS::Lambda::Alias", f"{PROD}:promoted"),
        ("AWS::Lambda::Alias", f"{PROD}:live"),
    )
    cloud.serves("7", COMMIT, {"8": 0.1})
    assert _serving_prod() == COMMIT
    (policy,) = cloud.policies
    (statement,) = json.loads(policy or "")["Statement"]
    assert not [
        each for each in statement["Action"] if not each.split(":")[1].startswith(("Get", "Des"))
    ]


@pytest.mark.parametrize("resources", [[], [("AWS::Lambda::Function", "files")]])
def test_without_an_alias_no_version_is_promoted(
    cloud: Aws, resources: list[tuple[str, str]]
) -> None:
    cloud.resources(*resources)
    assert _serving_prod() is None


def test_without_a_stack_no_version_is_promoted(cloud: Aws) -> None:
    cloud.stacks.add_client_error(
        "describe_stack_resources", "ValidationError", "Stack with id prod-files does not exist"
    )
    assert _serving_prod() is None


def test_access_denied_by_aws_has_no_verdict(cloud: Aws) -> None:
    cloud.stacks.add_client_error("describe_stack_resources", "AccessDenied")
    with pytest.raises(
        CouldNotRunError, match=r"^account 444444444444: the commit that serves prod .*AccessDenied"
    ):
        _serving_prod()


def test_a_version_without_a_commit_has_no_verdict(cloud: Aws) -> None:
    cloud.resources(("AWS::Lambda::Alias", f"{PROD}:live"))
    cloud.serves("7", None, {})
    with pytest.raises(CouldNotRunError, match="the commit that serves prod cannot be read: 'COMM"):
        _serving_prod()


def test_the_alias_is_pointed_at_the_newest_version_of_the_commit(
    cloud: Aws, served: Served
) -> None:
    """The commit's version 10 is newer than 9: numbers, not strings."""
    cloud.versions(OTHER, None, COMMIT, *[OTHER] * 5, COMMIT, COMMIT, marker="more")
    cloud.versions(OTHER, Marker="more")
    cloud.points_at("10")
    assert _serve(served.url)


def test_a_commit_that_was_never_there_cannot_be_served(cloud: Aws) -> None:
    cloud.versions(OTHER, None)
    assert not _serve("http://127.0.0.1:1/")


@pytest.mark.parametrize("refused", ["list_versions_by_function", "update_alias"])
def test_a_denied_update_of_the_alias_has_no_verdict(cloud: Aws, refused: str) -> None:
    if refused == "update_alias":
        cloud.versions(COMMIT)
    cloud.lambda_.add_client_error(refused, "AccessDeniedException")
    with pytest.raises(
        CouldNotRunError, match="unknown, which serves prod, could not be served in st"
    ):
        _serve("http://127.0.0.1:1/")


def test_an_api_that_keeps_serving_another_commit_has_no_verdict(
    cloud: Aws, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promoted, "_ALIAS_TIMEOUT_SECONDS", 0.2)
    cloud.versions(OTHER)
    cloud.points_at("1")
    with pytest.raises(CouldNotRunError, match=rf"^{served.url} serves unknown; allowed is bbb"):
        _serve(served.url, OTHER)


def test_an_unresponsive_api_has_no_verdict(cloud: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promoted, "_ALIAS_TIMEOUT_SECONDS", 0.2)
    cloud.versions(COMMIT)
    cloud.points_at("1")
    with pytest.raises(CouldNotRunError, match=r"serves no version .*Connection refused"):
        _serve("http://127.0.0.1:1/")
