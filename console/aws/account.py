"""The AWS that a command speaks to, and the accounts in it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from console.errors import ConsoleError
from console.local import local_cloud
from pipeline.names import lookup_role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.checkout import Checkout
    from environments.schema import Home

_EARLY = timedelta(minutes=5)
_PATIENT = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_extra="pithead",
)


class Place(Protocol):
    """An account's region; every environment is one."""

    @property
    def account(self) -> str:
        """Twelve digits."""
        ...

    @property
    def region(self) -> str:
        """Such as eu-west-1."""
        ...


class Aws(Protocol):
    """All that the console asks of AWS."""

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        """Return a boto3 client in the pipeline's home, or in another place.

        Another account is read by its lookup role, unless a role of the place is named.

        Raises:
            ConsoleError: the role cannot be assumed.
        """
        ...


class AwsSession:
    """`Aws` by the credentials of the process's environment.

    Other accounts are read as the lookup role that `cdk bootstrap` made there; `_roles` has
    sessions and their ends by the role's ARN and the region.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._session = boto3.Session(region_name=home.region)
        self._roles: dict[tuple[str, str], tuple[boto3.Session, datetime]] = {}
        self._clients: dict[tuple[str, str, str | None], Any] = {}

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        """See `Aws.client`."""
        account, region = (place or self._home).account, (place or self._home).region
        arn = None
        if role:
            arn = f"arn:aws:iam::{account}:role/{role}"
            self._renew(arn, region, f"role {role} of account {account} cannot be assumed", "")
        elif account != self._home.account:
            arn = lookup_role(account, region)
            hint = f"; bootstrap it with --trust-for-lookup {self._home.account}"
            self._renew(arn, region, f"account {account} cannot be read", hint)
        key = (service, region, arn)
        if key not in self._clients:
            session = self._roles[arn, region][0] if arn else self._session
            # boto3's own overloads know a service by its literal name alone.
            made: Any = session.client
            self._clients[key] = made(service, region_name=region, config=_PATIENT)
        return self._clients[key]

    def _renew(self, arn: str, region: str, failure: str, hint: str) -> None:
        """Have credentials of a role that last a while yet; `hint` is for a denial."""
        held = self._roles.get((arn, region))
        if held and held[1] - _EARLY > datetime.now(UTC):
            return
        sts = self.client("sts")
        try:
            given = sts.assume_role(RoleArn=arn, RoleSessionName="pithead")["Credentials"]
        except sts.exceptions.ClientError as error:
            told = error.response["Error"]
            raise ConsoleError(
                f"{failure}: {told['Message']}{hint if told['Code'] == 'AccessDenied' else ''}"
            ) from error
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=region,
        )
        self._roles[(arn, region)] = (session, given["Expiration"])
        self._clients = {
            key: client for key, client in self._clients.items() if key[1:] != (region, arn)
        }


def connect(checkout: Checkout) -> tuple[AwsSession, str]:
    """Whom a command of this checkout speaks to, and a line that says so.

    `AWS_ENDPOINT_URL` as it is set; else the checkout's local cloud, if it runs (this process
    then has exactly the variables of `pithead env`); else AWS as the environment has it.

    Raises:
        ConsoleError: nobody answers, or the credentials are of another account.
    """
    home = checkout.home()
    running = None
    if not os.environ.get("AWS_ENDPOINT_URL"):
        running = local_cloud.find(*checkout.states)
        if running:
            adopt(running.variables(home.account, home.region))
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    aws = AwsSession(home)
    try:
        account = aws.client("sts").get_caller_identity()["Account"]
    except NoCredentialsError as error:
        raise ConsoleError(
            "no local cloud of this checkout runs, and the environment has no AWS credentials; "
            "start one by pithead up, or have credentials of the pipeline's account"
        ) from error
    if account != home.account:
        raise ConsoleError(
            f"the credentials are of account {account}, and the pipeline lives in {home.account} "
            "(tool.pithead.account of pyproject.toml); use credentials of that account"
        )
    if running:
        whom = f"the local cloud at {endpoint}, at speed {running.speed:g}"
    elif endpoint:
        whom = f"{endpoint} (AWS_ENDPOINT_URL)"
    else:
        whom = "AWS"
    return aws, f"speaking to {whom}; account {home.account}, {home.region}"


def adopt(variables: Mapping[str, str]) -> None:
    """Make variables of `Running.variables` this process's own, in place of all AWS variables."""
    for name in local_cloud.foreign(os.environ):
        os.environ.pop(name, None)
    os.environ.update(variables)


def answered_at(answer: dict[str, Any]) -> datetime:
    """When an answer was given, by the clock of whoever gave it, to the second."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
