"""Lambda's throttles as a gate reads them; AWS's own models check the stubbed answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from environments.schema import load
from pipeline.gates import aws, lambda_throttles
from pipeline.gates.lambda_throttles import EnvironmentWatch
from pipeline.gates.report.result import CouldNotRunError

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGAN = datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)
LOOKUP = "arn:aws:iam::333333333333:role/cdk-hnb659fds-lookup-role-333333333333-eu-west-1"
FUNCTION = "files"


class Aws:
    """Stubbed clients; AWS's clock advances by a minute with each answer."""

    def __init__(self) -> None:
        make: Any = boto3.client
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        self._clients = {
            name: make(name, region_name="eu-west-1", **keys)
            for name in ("cloudformation", "cloudwatch", "lambda", "sts")
        }
        self.stubs = {name: Stubber(client) for name, client in self._clients.items()}
        self.policies: set[str | None] = set()
        self._asked = 0

    def client(self, service: str) -> Any:
        return self._clients[service]

    def assumed(
        self, role_arn: str, service: str, region: str, *, policy: str | None = None
    ) -> Any:
        assert (role_arn, region) == (LOOKUP, "eu-west-1")
        self.policies.add(policy)
        return self._clients[service]

    def _at(self) -> dict[str, Any]:
        """The metadata of each answer, with the time."""
        now = BEGAN + timedelta(minutes=self._asked)
        self._asked += 1
        return {
            "HTTPHeaders": {"date": format_datetime(now, usegmt=True)},
            "HTTPStatusCode": 200,
            "RequestId": "r",
            "RetryAttempts": 0,
        }

    def answers_time(self) -> None:
        self.stubs["sts"].add_response("get_caller_identity", {"ResponseMetadata": self._at()})

    def has_function(self) -> None:
        alias = f"arn:aws:lambda:eu-west-1:333333333333:function:{FUNCTION}:live"
        resource = {
            "LogicalResourceId": "Live",
            "ResourceType": "AWS::Lambda::Alias",
            "PhysicalResourceId": alias,
            "ResourceStatus": "CREATE_COMPLETE",
            "Timestamp": BEGAN,
        }
        self.stubs["cloudformation"].add_response(
            "describe_stack_resources",
            {"StackResources": [resource]},
            {"StackName": "staging-files"},
        )

    def counts(self, *invoked: float, **throttles: list[float]) -> None:
        """Stub CloudWatch: throttles by alias, and invocations at minutes after noon."""
        asked = {
            "MetricDataQueries": ANY,
            "StartTime": BEGAN.replace(second=0),
            "EndTime": ANY,
        }
        results = [
            {"Id": name, "Values": values, "Timestamps": [BEGAN] * len(values)}
            for name, values in throttles.items()
        ]
        noon = BEGAN.replace(second=0)
        times = [noon + timedelta(minutes=each) for each in invoked]
        results += [
            {"Id": "invoked_live", "Values": [1.0] * len(times), "Timestamps": times},
            {"Id": "invoked_promoted", "Values": [], "Timestamps": []},
        ]
        answer = {"MetricDataResults": results, "ResponseMetadata": self._at()}
        self.stubs["cloudwatch"].add_response("get_metric_data", answer, asked)

    def limits(self, quota: int, reserved: int | None = None) -> None:
        asked = {"FunctionName": FUNCTION}
        answer = {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
        self.stubs["lambda"].add_response("get_function_concurrency", answer, asked)
        if reserved is None:
            settings = {"AccountLimit": {"ConcurrentExecutions": quota}}
            self.stubs["lambda"].add_response("get_account_settings", settings, {})


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    cloud = Aws()
    monkeypatch.setattr(aws, "client", cloud.client)
    monkeypatch.setattr(aws, "assumed", cloud.assumed)
    monkeypatch.setattr(lambda_throttles, "_POLL_INTERVAL_SECONDS", 0.0)
    for stub in cloud.stubs.values():
        stub.activate()
    yield cloud
    for stub in cloud.stubs.values():
        stub.assert_no_pending_responses()


def _watch(cloud: Aws) -> EnvironmentWatch:
    cloud.answers_time()
    watch = EnvironmentWatch("staging", load("staging"))
    cloud.has_function()
    cloud.answers_time()
    return watch


def test_metrics_are_awaited_until_they_explain_all_requests(cloud: Aws) -> None:
    watch = _watch(cloud)
    cloud.counts(live=[3.0], promoted=[])
    cloud.counts(live=[3.0, 5.0], promoted=[4.0])
    cloud.limits(10)
    found = watch.throttles(12)
    assert (dict(found.by_alias), found.total) == ({"live": 8, "promoted": 4}, 12)
    assert found.limit == (
        'Lambda\'s quota "Concurrent executions" of account 333333333333 in eu-west-1 is 10, for '
        "all of its functions; its environments need 200"
    )
    assert found.next_step == (
        "run `pithead preflight`; with credentials of account 333333333333 run `aws "
        "service-quotas request-service-quota-increase --service-code lambda --quota-code "
        "L-B99A9384 --desired-value 200 --region eu-west-1`"
    )


def test_missing_metrics_are_awaited_for_five_minutes(cloud: Aws) -> None:
    watch = _watch(cloud)
    for _ in range(5):
        cloud.counts(live=[], promoted=[])
    cloud.limits(1000)
    assert watch.throttles(12).total == 0


def test_metrics_of_the_newest_minute_end_the_wait(cloud: Aws) -> None:
    """The gate asks at 12:01:30; the minute has settled at 12:03."""
    watch = _watch(cloud)
    for _ in range(2):
        cloud.counts(0, 1, live=[], promoted=[])
    cloud.limits(1000)
    assert watch.throttles(12).total == 0


def test_a_quota_that_suffices_is_doubled(cloud: Aws) -> None:
    """Other functions of the account use up the quota."""
    watch = _watch(cloud)
    cloud.counts(live=[1.0], promoted=[])
    cloud.limits(500)
    assert "--desired-value 1000 " in watch.throttles(1).next_step


def test_a_reserved_concurrency_is_named_instead_of_the_quota(cloud: Aws) -> None:
    watch = _watch(cloud)
    cloud.counts(live=[1.0], promoted=[])
    cloud.limits(10, reserved=2)
    found = watch.throttles(1)
    assert found.limit == "the reserved concurrency of function files in account 333333333333 is 2"
    assert "`aws lambda delete-function-concurrency --function-name files " in found.next_step


def test_a_session_of_the_lookup_role_may_read_four_things(cloud: Aws) -> None:
    watch = _watch(cloud)
    cloud.counts(live=[1.0], promoted=[])
    cloud.limits(10)
    watch.throttles(1)
    (policy,) = cloud.policies
    (statement,) = json.loads(policy or "")["Statement"]
    assert statement["Action"] == [
        "cloudformation:DescribeStackResources",
        "cloudwatch:GetMetricData",
        "lambda:GetAccountSettings",
        "lambda:GetFunctionConcurrency",
    ]


def test_unreadable_throttles_are_an_error(cloud: Aws) -> None:
    cloud.answers_time()
    watch = EnvironmentWatch("staging", load("staging"))
    cloud.stubs["cloudformation"].add_client_error("describe_stack_resources", "AccessDenied")
    with pytest.raises(CouldNotRunError, match=r"throttles cannot be read: .*AccessDenied"):
        watch.throttles(1)


def test_an_unreachable_aws_is_an_error_only_when_throttles_are_read(no_aws: None) -> None:
    watch = EnvironmentWatch("staging", load("staging"))
    with pytest.raises(CouldNotRunError, match="Lambda's throttles cannot be read"):
        watch.throttles(1)
