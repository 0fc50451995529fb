"""Sessions and clients for the AWS accounts or the local cloud of a command."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
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

_RENEWAL_MARGIN = timedelta(minutes=5)
_CLIENT_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
    user_agent_extra="pithead",
)


class Place(Protocol):
    """An account and a region; every environment is one."""

    @property
    def account(self) -> str:
        """Twelve digits."""
        ...

    @property
    def region(self) -> str:
        """Such as eu-west-1."""
        ...


class Aws(Protocol):
    """A source of boto3 clients."""

    def client(self, service: str, place: Place | None = None, *, role: str | None = None) -> Any:
        """Return a boto3 client for the pipeline's account and region, or another place.

        A client for another account has its lookup role, unless `role` names a role there.

        Raises:
            ConsoleError: the role cannot be assumed.
        """
        ...


class AwsSession:
    """`Aws` with the credentials of the process's environment variables.

    Clients for other accounts assume the lookup role that `cdk bootstrap` creates there.
    `_roles` holds a session and its expiry for each role's ARN and region.
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
            self._assume(arn, region, f"role {role} of account {account} cannot be assumed", "")
        elif account != self._home.account:
            arn = lookup_role(account, region)
            hint = f". Bootstrap it with --trust-for-lookup {self._home.account}"
            self._assume(arn, region, f"account {account} cannot be read", hint)
        key = (service, region, arn)
        if key not in self._clients:
            session = self._roles[arn, region][0] if arn else self._session
            # boto3's own overloads accept only literal names of services.
            create: Any = session.client
            self._clients[key] = create(service, region_name=region, config=_CLIENT_CONFIG)
        return self._clients[key]

    def _assume(self, arn: str, region: str, failure: str, hint: str) -> None:
        """Assume a role, unless its credentials are valid for a while yet.

        The error starts with `failure`; it ends with `hint` if AWS denies the call.
        """
        cached = self._roles.get((arn, region))
        if cached and cached[1] - _RENEWAL_MARGIN > datetime.now(UTC):
            return
        sts = self.client("sts")
        try:
            credentials = sts.assume_role(RoleArn=arn, RoleSessionName="pithead")["Credentials"]
        except sts.exceptions.ClientError as error:
            details = error.response["Error"]
            message = details["Message"].rstrip(".")
            raise ConsoleError(
                f"{failure}: {message}{hint if details['Code'] == 'AccessDenied' else ''}"
            ) from error
        session = boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=region,
        )
        self._roles[(arn, region)] = (session, credentials["Expiration"])
        self._clients = {
            key: client for key, client in self._clients.items() if key[1:] != (region, arn)
        }


def connect(checkout: Checkout) -> tuple[AwsSession, str]:
    """Return a session for a command of a checkout, and a line with its target.

    The target is the endpoint in `AWS_ENDPOINT_URL` if that is set, else the checkout's local
    cloud if it runs (this process then gets the variables of `pithead env`), else AWS with the
    credentials of the environment variables.

    Raises:
        ConsoleError: there are no credentials, or they are of another account.
    """
    home = checkout.home()
    cloud = None
    if not os.environ.get("AWS_ENDPOINT_URL"):
        cloud = local_cloud.find(*checkout.states)
        if cloud:
            adopt(cloud.variables(home.account, home.region))
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    aws = AwsSession(home)
    try:
        account = aws.client("sts").get_caller_identity()["Account"]
    except NoCredentialsError as error:
        raise ConsoleError(
            "AWS: found no credentials, and no local cloud of this checkout runs. Start one with "
            "pithead up --detach, or set credentials of the pipeline's account "
            f"({home.account})"
        ) from error
    if account != home.account:
        raise ConsoleError(
            f"AWS: found credentials of account {account}; the pipeline is in account "
            f"{home.account} (tool.pithead.account of pyproject.toml). Use credentials of that "
            "account"
        )
    if cloud:
        target = f"the local cloud at {endpoint}, at speed {cloud.speed:g}"
    elif endpoint:
        target = f"{endpoint} (AWS_ENDPOINT_URL)"
    else:
        target = "AWS"
    return aws, f"using {target}; account {home.account}, {home.region}"


def adopt(variables: Mapping[str, str]) -> None:
    """Replace all AWS variables of this process by those of a local cloud."""
    for name in local_cloud.aws_variables(os.environ):
        os.environ.pop(name, None)
    os.environ.update(variables)
