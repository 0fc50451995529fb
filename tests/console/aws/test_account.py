"""The role that a client of an account assumes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from console.aws.account import AwsSession
from console.errors import ConsoleError
from environments.schema import load, load_home

if TYPE_CHECKING:
    from tests.console.fakes import FakeAws

HOME, PROD = load_home(), load("prod")
LOOKUP = f"cdk-hnb659fds-lookup-role-{PROD.account}-{PROD.region}"


@pytest.fixture
def assumed(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record assumed roles; a client is a string of its service and its session's key."""
    asked: list[str] = []

    class Session:
        def __init__(self, *, aws_access_key_id: str = "own", **_: Any) -> None:
            self._key = aws_access_key_id

        def client(self, service: str, **_: Any) -> Any:
            return aws.client(service) if service == "sts" else f"{service} as {self._key}"

    def assume_role(**parameters: str) -> dict[str, Any]:
        asked.append(parameters["RoleArn"])
        name = parameters["RoleArn"].rsplit("/")[-1]
        ends = datetime.now(UTC) + timedelta(hours=1)
        keys = {"AccessKeyId": name.ljust(16), "SecretAccessKey": "s", "SessionToken": "t"}
        return {"Credentials": keys | {"Expiration": ends}}

    aws.answers[("sts", "assume_role")] = assume_role
    monkeypatch.setattr("console.aws.account.boto3.Session", Session)
    return asked


def test_another_account_is_accessed_by_its_lookup_role_or_the_named_role(
    assumed: list[str],
) -> None:
    session = AwsSession(HOME)
    assert session.client("s3") == "s3 as own"
    for _ in range(2):  # credentials are cached
        assert session.client("s3", PROD) == f"s3 as {LOOKUP}"
        assert session.client("s3", PROD, role="files-prod-release-again").endswith("release-again")
    assert assumed == [
        f"arn:aws:iam::{PROD.account}:role/{LOOKUP}",
        f"arn:aws:iam::{PROD.account}:role/files-prod-release-again",
    ]


def test_a_named_role_is_assumed_in_the_pipelines_account(assumed: list[str]) -> None:
    assert AwsSession(HOME).client("s3", role="files-dev-release-again").endswith("again")
    assert assumed == [f"arn:aws:iam::{HOME.account}:role/files-dev-release-again"]


@pytest.mark.parametrize(
    ("role", "message"),
    [
        (
            None,
            f"account {PROD.account} cannot be read: no. Bootstrap it with --trust-for-lookup "
            f"{HOME.account}",
        ),
        ("again", f"role again of account {PROD.account} cannot be assumed: no"),
    ],
)
def test_a_denied_role_is_an_error_with_a_next_step(
    assumed: list[str], aws: FakeAws, role: str | None, message: str
) -> None:
    denied = aws.client("sts").error("AccessDenied", "no", "AssumeRole")
    aws.answers[("sts", "assume_role")] = denied
    with pytest.raises(ConsoleError) as raised:
        AwsSession(HOME).client("s3", PROD, role=role)
    assert str(raised.value) == message
