"""Reports on sessions of roles whose keys expire."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloudformation.handlers.catalogue import needed
from tests.corpus.report import report
from tests.corpus.stacks import ACCOUNT, TOPIC, Bench, parameter, refused, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.core.credentials import Session

EVERYTHING = {"Action": "*", "Resource": "*"}
EXPIRED = "The security token included in the request is expired"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with started(tmp_path_factory.mktemp("cloud"), iam="enforce") as made:
        yield made


def expire(bench: Bench, session: Session) -> None:
    """Let the keys of a session expire now."""
    sessions = bench.server.cloud.credentials._sessions
    sessions[session.access_key] = replace(session, expires=time.time() - 1)


@report(
    "realestate-com-au/stackup#33",
    "IAM",
    situation="A stack is watched for longer than the assumed role's session lasts.",
    outcome="ExpiredToken when calling DescribeStacks.",
)
def test_a_stack_is_watched_with_expired_keys(bench: Bench) -> None:
    session = bench.session("stackup", ACCOUNT, EVERYTHING)
    describe = bench.client("cloudformation", session=session).describe_stacks
    assert describe()["Stacks"] == []
    expire(bench, session)
    assert refused(describe) == ("ExpiredToken", EXPIRED)


@report(
    "aws-samples/aws-saas-factory-ref-solution-serverless-saas#26",
    "CloudFormation",
    situation="The session of a stack's caller expires while the stack is made.",
    outcome="CREATE_FAILED: the security token included in the request is expired.",
)
def test_a_session_expires_while_its_stack_is_made(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = bench.session("deployer", ACCOUNT, EVERYTHING)

    def needed_at_last(*arguments: Any) -> Any:
        expire(bench, session)
        return needed(*arguments)

    monkeypatch.setattr("localcloud.cloudformation.permissions.needed", needed_at_last)
    template = {"Resources": {"First": TOPIC, "Later": parameter("1") | {"DependsOn": "First"}}}
    bench.client("cloudformation", session=session).create_stack(
        StackName="late", TemplateBody=json.dumps(template)
    )
    # The expired keys cannot delete its topic either.
    assert bench.ended("late", "stack_create_complete") == "ROLLBACK_FAILED"
    assert bench.failures("late", "Later") == [EXPIRED]
