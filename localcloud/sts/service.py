"""STS over the cloud's own credentials."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult

from localcloud import strict_json
from localcloud.api import ApiError, ServiceApi

_POLICY_CHARACTERS = 2048
"""Of a session policy ("AssumeRole" of the STS API reference)."""
_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+")

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
        if not _ROLE.fullmatch(role_arn):
            raise ApiError("ValidationError", f"{role_arn} is invalid")
        self._check_policy(self.params.get("Policy"))
        me = self.cloud.credentials.session(self.caller.access_key)
        mine = {"*", self.account, f"arn:aws:iam::{self.account}:root"}
        mine |= {me.role_arn, me.arn} if me else set()
        if not self._trusted(role_arn, mine):
            caller_arn = me.arn if me else f"arn:aws:iam::{self.account}:root"
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

    @staticmethod
    def _check_policy(policy: str | None) -> None:
        if policy is None:
            return
        if len(policy) > _POLICY_CHARACTERS:
            raise ApiError(
                "ValidationError",
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
                f"Member must have length less than or equal to {_POLICY_CHARACTERS}",
            )
        try:
            strict_json.parse(policy, unique=True)
        except ValueError as error:
            raise ApiError("MalformedPolicyDocument", f"Policy is not JSON: {error}") from error

    def _trusted(self, role_arn: str, callers: set[str]) -> bool:
        iam = self.cloud.client("iam", role_arn.split(":")[4], self.region)
        try:
            role = iam.get_role(RoleName=role_arn.rsplit("/", 1)[-1])["Role"]
        except iam.exceptions.NoSuchEntityException:
            return False
        if role["Arn"] != role_arn:
            return False
        stated = role["AssumeRolePolicyDocument"]["Statement"]
        statements = [stated] if isinstance(stated, dict) else stated
        effects = {
            statement["Effect"] for statement in statements if self._applies(statement, callers)
        }
        return "Allow" in effects and "Deny" not in effects

    def _applies(self, statement: dict[str, Any], callers: set[str]) -> bool:
        named = {action.lower() for action in _listed(statement.get("Action"))}
        if not named & {"sts:assumerole", "sts:*", "*"}:
            return False
        principal = statement.get("Principal", {})
        names = principal if isinstance(principal, str) else principal.get("AWS", [])
        return bool(callers & set(_listed(names))) and all(
            self._meets(operator, wanted)
            for operator, wanted in statement.get("Condition", {}).items()
        )

    def _meets(self, operator: str, wanted: dict[str, Any]) -> bool:
        """Whether the request meets a condition of a trust policy.

        Raises:
            ApiError: the condition is on something else than the external id.
        """
        if operator not in {"StringEquals", "Null"} or wanted.keys() != {"sts:ExternalId"}:
            raise ApiError(
                "AccessDenied",
                f"The condition {operator} on {', '.join(sorted(wanted))} of a trust policy is not "
                "part of the local cloud",
            )
        given, values = self.params.get("ExternalId"), _listed(wanted["sts:ExternalId"])
        if operator == "Null":  # CDK's own bootstrap roles refuse whoever brings an external id
            return str(given is None).lower() in values
        return given in values


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


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
