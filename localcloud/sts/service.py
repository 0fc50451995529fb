"""STS over the cloud's own credentials."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from moto.core.responses import ActionResult

from localcloud.api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.resources import Provider


class StsApi(ServiceApi):
    """GetCallerIdentity and AssumeRole."""

    service: ClassVar[str] = "sts"

    def get_caller_identity(self) -> ActionResult:
        """The account, and the role if one was assumed."""
        session = self.cloud.credentials.session(self.caller.access_key)
        if session is None:
            arn, user = f"arn:aws:iam::{self.account}:root", self.account
        else:
            arn, user = session.arn, f"AROA{session.role_name.upper()[:16]}:{session.name}"
        return ActionResult({"Account": self.account, "Arn": arn, "UserId": user})

    def assume_role(self) -> ActionResult:
        """Credentials of a role that exists and trusts the caller."""
        role_arn: str = self.params["RoleArn"]
        name: str = self.params["RoleSessionName"]
        me = self.cloud.credentials.session(self.caller.access_key)
        caller_arn = me.arn if me else f"arn:aws:iam::{self.account}:root"
        if not self._trusted(role_arn, me.role_arn if me else None):
            raise ApiError(
                "AccessDenied",
                f"User: {caller_arn} is not authorized to perform: sts:AssumeRole "
                f"on resource: {role_arn}",
            )
        session = self.cloud.credentials.assume(role_arn, name)
        # A client holds this against its own clock, so it is the wall's time.
        expires = datetime.now(UTC) + timedelta(
            seconds=int(self.params.get("DurationSeconds") or 3600)
        )
        return ActionResult(
            {
                "Credentials": {
                    "AccessKeyId": session.access_key,
                    "SecretAccessKey": session.secret_key,
                    "SessionToken": session.token,
                    "Expiration": expires,
                },
                "AssumedRoleUser": {
                    "AssumedRoleId": f"AROA{session.role_name.upper()[:16]}:{name}",
                    "Arn": session.arn,
                },
            }
        )

    def _trusted(self, role_arn: str, my_role: str | None) -> bool:
        account = role_arn.split(":")[4]
        iam = self.cloud.client("iam", account, self.region)
        try:
            role = iam.get_role(RoleName=role_arn.rsplit("/", 1)[-1])["Role"]
        except iam.exceptions.NoSuchEntityException:
            return False
        policy = role["AssumeRolePolicyDocument"]
        document = json.loads(unquote(policy)) if isinstance(policy, str) else policy
        mine = {"*", self.account, f"arn:aws:iam::{self.account}:root", my_role}
        return any(
            statement.get("Effect") == "Allow" and mine & _principals(statement)
            for statement in document["Statement"]
        )


def _principals(statement: dict[str, Any]) -> set[str | None]:
    principal = statement.get("Principal", {})
    if isinstance(principal, str):
        return {principal}
    found = principal.get("AWS", [])
    return {found} if isinstance(found, str) else set(found)


class Sts:
    """See `localcloud.cloud.Service`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.apis: dict[str, type[ServiceApi]] = {"sts": StsApi}
        self.providers: dict[str, Provider] = {}

    def start(self) -> None:
        """Nothing to take up: sessions are the credentials' own."""

    def stop(self) -> None:
        """Nothing runs."""
