"""The STS API."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from moto.core.responses import ActionResult

from localcloud.core.service_api import ApiError, ServiceApi
from localcloud.iam.documents import MalformedPolicyError, parse

_MAX_POLICY_CHARACTERS = 2048
"""Maximum length of a session policy ("AssumeRole" of the STS API reference)."""
_MIN_SESSION_SECONDS, _HOUR_SECONDS, _MAX_SESSION_SECONDS = 900, 3600, 43200
_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/.+")

if TYPE_CHECKING:
    from localcloud.sts.service import Sts


class StsApi(ServiceApi):
    """GetCallerIdentity and AssumeRole."""

    model: ClassVar[str] = "sts"
    service: Sts

    def get_caller_identity(self) -> ActionResult:
        """Return the caller's account, ARN and user id."""
        session = self.service.core.credentials.session(self.caller.access_key)
        if session is None:
            arn, user = f"arn:aws:iam::{self.account}:root", self.account
        else:
            arn, user = session.arn, f"AROA{session.role_name.upper()[:16]}:{session.name}"
        return ActionResult({"Account": self.account, "Arn": arn, "UserId": user})

    def assume_role(self) -> ActionResult:
        """Return credentials of a role, if it trusts the caller and IAM allows the call."""
        role_arn: str = self.params["RoleArn"]
        name: str = self.params["RoleSessionName"]
        if not _ROLE.fullmatch(role_arn):
            raise ApiError("ValidationError", f"{role_arn} is invalid")
        policies = self._session_policies(role_arn)
        external = self.params.get("ExternalId")
        context = {"sts:rolesessionname": [name]}
        context |= {"sts:externalid": [external]} if external else {}
        denied = self.service.access.assumption(self.caller, role_arn, context)
        if denied is not None:
            raise ApiError("AccessDenied", denied.message)
        duration = self._duration(role_arn)
        session = self.service.core.credentials.assume(role_arn, name, policies, duration)
        return ActionResult(
            {
                "Credentials": {
                    "AccessKeyId": session.access_key,
                    "SecretAccessKey": session.secret_key,
                    "SessionToken": session.token,
                    "Expiration": datetime.fromtimestamp(session.expires or 0.0, UTC),
                },
                "AssumedRoleUser": {
                    "AssumedRoleId": f"AROA{session.role_name.upper()[:16]}:{name}",
                    "Arn": session.arn,
                },
            }
        )

    def _duration(self, role_arn: str) -> int:
        """Return the session's duration in seconds.

        It is at most an hour if the caller is a session itself (role chaining).
        """
        duration = int(self.params.get("DurationSeconds") or _HOUR_SECONDS)
        if not _MIN_SESSION_SECONDS <= duration <= _MAX_SESSION_SECONDS:
            bound = "greater" if duration < _MIN_SESSION_SECONDS else "less"
            limit = (
                _MIN_SESSION_SECONDS if duration < _MIN_SESSION_SECONDS else _MAX_SESSION_SECONDS
            )
            raise ApiError(
                "ValidationError",
                f"1 validation error detected: Value '{duration}' at 'durationSeconds' failed to "
                f"satisfy constraint: Member must have value {bound} than or equal to {limit}",
            )
        chained = self.service.core.credentials.session(self.caller.access_key) is not None
        if chained and duration > _HOUR_SECONDS:
            raise ApiError(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
                "by role chaining.",
            )
        longest = self.service.access.stored.role(role_arn).max_session_duration
        if duration > int(longest or _HOUR_SECONDS):
            raise ApiError(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )
        return duration

    def _session_policies(self, role_arn: str) -> list[str] | None:
        """Return the documents of `Policy` and `PolicyArns`, or None if neither is set."""
        own: str | None = self.params.get("Policy")
        arns = [each["arn"] for each in self.params.get("PolicyArns") or []]
        self._check_policy(own)
        documents = [] if own is None else [own]
        for arn in arns:
            text = self.service.access.stored.managed_text(role_arn.split(":")[4], arn)
            if not text:
                raise ApiError("MalformedPolicyDocument", f"Policy {arn} does not exist")
            documents.append(text)
        return documents or None

    @staticmethod
    def _check_policy(policy: str | None) -> None:
        if policy is None:
            return
        if len(policy) > _MAX_POLICY_CHARACTERS:
            raise ApiError(
                "ValidationError",
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
                f"Member must have length less than or equal to {_MAX_POLICY_CHARACTERS}",
            )
        try:
            parse(policy, "identity")
        except MalformedPolicyError as error:
            raise ApiError("MalformedPolicyDocument", str(error)) from error
