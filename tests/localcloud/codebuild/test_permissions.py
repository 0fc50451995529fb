"""The permissions of a project's service role, with the grants that CDK makes."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.core.delays import NO_DELAYS
from localcloud.server import LocalCloud
from tests.localcloud.codebuild.builds import ACCOUNT, REGION, SERVICES, Builds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.codebuild.model import Build

_numbers = itertools.count()
HERE = f"{REGION}:{ACCOUNT}"
LOG = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
REPORT = (
    "codebuild:CreateReportGroup", "codebuild:CreateReport", "codebuild:UpdateReport",
    "codebuild:BatchPutTestCases",
)  # fmt: skip
_JUNIT = '<testsuite><testcase name="a"/></testsuite>'
SPEC = {
    "version": "0.2",
    "phases": {"build": {"commands": [f"echo '{_JUNIT}' > r.xml"]}},
    "reports": {"unit": {"files": ["r.xml"]}},
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    folder = tmp_path_factory.mktemp("guarded")
    server = LocalCloud(folder, services=SERVICES, iam="enforce", delays=NO_DELAYS)
    server.start()
    Builds(server).set_up()
    yield server
    server.stop()


@pytest.fixture
def builds(guarded: LocalCloud) -> Builds:
    found = Builds(guarded, project=f"guarded-{next(_numbers)}")
    found.declare()
    return found


def grant(builds: Builds, *actions: str) -> None:
    """Allow the service role these actions on the project's log and report groups."""
    groups = [f"arn:aws:logs:{HERE}:log-group:/aws/codebuild/{builds.project}"]
    reports = f"arn:aws:codebuild:{HERE}:report-group/{builds.project}-*"
    statement = {
        "Effect": "Allow",
        "Action": list(actions) or ["s3:ListBucket"],
        "Resource": [*groups, f"{groups[0]}:*", reports],
    }
    builds.client("iam").put_role_policy(
        RoleName="build",
        PolicyName="own",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
    )


def run(builds: Builds) -> Build:
    return builds.run(buildspec=json.dumps(SPEC))


def session(build: Build) -> str:
    name = f"AWSCodeBuild-{build.id.rsplit(':', 1)[-1]}"
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/build/{name}"


def phases(build: Build) -> dict[str, Any]:
    return {each.name: each for each in build.phases}


def test_the_grants_of_cdk_suffice(builds: Builds) -> None:
    grant(builds, *LOG, *REPORT)
    build = run(builds)
    assert build.status == "SUCCEEDED", build.reason
    assert len(build.reports) == 1
    assert builds.whole_log(build)


@pytest.mark.parametrize("missing", LOG[:2])
def test_without_a_log_stream_a_build_fails(builds: Builds, missing: str) -> None:
    grant(builds, *(each for each in LOG if each != missing))
    build = run(builds)
    assert (build.status, list(phases(build))) == (
        "FAILED",
        ["SUBMITTED", "QUEUED", "FINALIZING", "COMPLETED"],
    )
    queued = phases(build)["QUEUED"]
    stream = "" if missing == LOG[0] else build.stream
    assert (queued.code, queued.message) == (
        "ACCESS_DENIED",
        f"Service role arn:aws:iam::{ACCOUNT}:role/build does not allow AWS CodeBuild to create "
        f"Amazon CloudWatch Logs log streams for build {build.arn}. Error message: User: "
        f"{session(build)} is not authorized to perform: {missing} on resource: arn:aws:logs:{HERE}"
        f":log-group:/aws/codebuild/{builds.project}:log-stream:{stream} because no identity-based "
        f"policy allows the {missing} action",
    )


def test_without_log_events_a_build_has_no_log(builds: Builds) -> None:
    grant(builds, *LOG[:2], *REPORT)
    build = run(builds)
    assert build.status == "SUCCEEDED", build.reason
    groups = builds.client("logs").describe_log_groups(logGroupNamePrefix=build.group)
    assert groups["logGroups"] == []


def test_a_build_without_log_needs_no_permission(builds: Builds) -> None:
    grant(builds, *REPORT)
    builds.declare(LogsConfig={"CloudWatchLogs": {"Status": "DISABLED"}})
    assert run(builds).status == "SUCCEEDED"


@pytest.mark.parametrize("missing", REPORT)
def test_a_report_is_created_by_the_service_role(builds: Builds, missing: str) -> None:
    grant(builds, *LOG, *(each for each in REPORT if each != missing))
    build = run(builds)
    uploaded = phases(build)["UPLOAD_ARTIFACTS"]
    what = "report group" if missing == REPORT[0] else "report"
    assert (build.status, uploaded.code, uploaded.message) == (
        "FAILED",
        "CLIENT_ERROR",
        f"Error in UPLOAD_ARTIFACTS phase: [unit: [error creating {what}: AccessDeniedException: "
        f"User: {session(build)} is not authorized to perform: {missing} on resource: "
        f"arn:aws:codebuild:{HERE}:report-group/{builds.project}-unit because no identity-based "
        f"policy allows the {missing} action]]",
    )
    assert build.reports == []
