"""CodeBuild: missing permissions of a build's role, and missing reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.builds import allow, contexts, spec
from tests.corpus.deliveries import running
from tests.corpus.report import report
from tests.localcloud.codebuild.builds import ACCOUNT, REGION, SERVICES, Builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.server import LocalCloud


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with running(tmp_path_factory.mktemp("builds"), *SERVICES) as started:
        Builds(started).set_up()
        yield started


@pytest.fixture
def builds(server: LocalCloud, request: pytest.FixtureRequest) -> Builds:
    """A separate project for each test."""
    made = Builds(server, project=request.function.__name__.replace("_", "-"))
    made.declare()
    return made


@report(
    "cloudposse/terraform-aws-cicd#107",
    "CodeBuild",
    situation="A variable of type PARAMETER_STORE names an absent parameter.",
    outcome="The build fails in DOWNLOAD_SOURCE with Decrypted Variables Error.",
)
def test_a_parameter_that_does_not_exist(builds: Builds) -> None:
    text = spec(build=["true"], env={"parameter-store": {"TOKEN": "ghp_token"}})
    assert contexts(builds, builds.run(buildspec=text)) == {
        "DOWNLOAD_SOURCE": (
            "Decrypted Variables Error",
            "parameter does not exist: ghp_token",
        )
    }


@report(
    "aws/aws-cdk#9980",
    "CodeBuild",
    situation="A build's role may not read the parameter of a variable.",
    outcome="The build fails in DOWNLOAD_SOURCE: the role lacks ssm:GetParameters.",
)
def test_a_parameter_that_the_role_may_not_read(
    builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    builds.client("ssm").put_parameter(Name="VARIABLE_NAME", Value="v", Type="String")
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/VARIABLE_NAME"
    allow(builds, ("ssm:GetParameter", parameter))
    monkeypatch.setattr(builds.server.cloud.access, "mode", "enforce")
    text = spec(build=["true"], env={"parameter-store": {"VARIABLE_NAME": "VARIABLE_NAME"}})
    code, message = contexts(builds, builds.run(buildspec=text))["DOWNLOAD_SOURCE"]
    assert code == "Decrypted Variables Error"
    assert message.startswith(
        f"AccessDeniedException: User: arn:aws:sts::{ACCOUNT}:assumed-role/build/AWSCodeBuild-"
    )
    assert (f"is not authorized to perform: ssm:GetParameters on resource: {parameter}") in message


@report(
    "aws/aws-cdk#7367",
    "CodeBuild",
    situation="A buildspec has a report, and the build's role may not create its group.",
    outcome="The build fails in UPLOAD_ARTIFACTS, though all commands have succeeded.",
)
def test_a_report_group_that_the_role_may_not_create(
    builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(builds)
    monkeypatch.setattr(builds.server.cloud.access, "mode", "enforce")
    xml = '<testsuite name="s"><testcase classname="c" name="n"/></testsuite>'
    reports = {"arc-test-reports": {"files": ["junit.xml"]}}
    build = builds.run(buildspec=spec(build=[f"echo '{xml}' > junit.xml"], reports=reports))
    assert build.status == "FAILED"
    code, message = contexts(builds, build)["UPLOAD_ARTIFACTS"]
    assert code == "CLIENT_ERROR"
    assert message.startswith(
        "Error in UPLOAD_ARTIFACTS phase: [arc-test-reports: [error creating report group: "
        f"AccessDeniedException: User: arn:aws:sts::{ACCOUNT}:assumed-role/build/AWSCodeBuild-"
    )
    assert "is not authorized to perform: codebuild:CreateReportGroup on resource: " in message
    assert builds.client("codebuild").list_report_groups()["reportGroups"] == []


@report(
    "prowler-cloud/prowler#1182",
    "CodeBuild",
    situation="A buildspec has a report whose files no command has written.",
    outcome="The build fails in UPLOAD_ARTIFACTS, though all commands have succeeded.",
)
def test_a_report_without_files_fails_the_build(builds: Builds) -> None:
    reports = {"prowler": {"files": ["**/*"], "base-directory": "junit-reports"}}
    build = builds.run(buildspec=spec(build=["true"], reports=reports))
    assert (build.status, list(contexts(builds, build))) == ("FAILED", ["UPLOAD_ARTIFACTS"])
