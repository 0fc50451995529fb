"""Reports on the roles and keys that services use for themselves: of logs and of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.corpus.report import report
from tests.corpus.stacks import Bench, refused, started

if TYPE_CHECKING:
    from collections.abc import Iterator

PUSH = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud"), iam="enforce") as made:
        yield made


@report(
    "tmobile/jazz-installer#597",
    "API Gateway",
    situation="UpdateAccount sets a log role before a policy is attached to it.",
    outcome="BadRequestException: the role does not have the required permissions.",
)
def test_a_log_role_is_set_before_its_policy(bench: Bench) -> None:
    role = bench.role("api-logs", "apigateway.amazonaws.com")
    update = bench.client("apigateway").update_account
    change = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}]
    assert refused(update, patchOperations=change) == (
        "BadRequestException",
        "The role ARN does not have required permissions configured. Please grant trust permission "
        "for API Gateway and add the required role policy.",
    )
    bench.client("iam").attach_role_policy(RoleName="api-logs", PolicyArn=PUSH)
    assert update(patchOperations=change)["cloudwatchRoleArn"] == role
