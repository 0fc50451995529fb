"""Environment variables under a customer's KMS key.

Sources: "Invoke" of the Lambda API reference; Lambda guide, "Securing Lambda environment
variables"; cattle-ops/terraform-aws-gitlab-runner#1253, hashicorp/terraform#20813.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.awslambda.configuration import invalid
from localcloud.core.ports import InvocationError
from localcloud.core.service_api import ApiError
from localcloud.iam.acting import role_session
from localcloud.iam.actions.service_keys import decrypt_variables
from localcloud.iam.key_states import KeyProblem, unusable

if TYPE_CHECKING:
    from localcloud.awslambda.model import Configuration, Function, Version
    from localcloud.core.credentials import Session
    from localcloud.iam.access import Access

_PATTERN = r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"
_DENIED = "AccessDeniedException"
_NOT_FOUND = ("KMSNotFoundException", "the KMS key was not found")
_INVOCATION_ERRORS = {
    _DENIED: ("KMSAccessDeniedException", "KMS access was denied"),
    "DisabledException": ("KMSDisabledException", "the KMS key used is disabled"),
    "KMSInvalidStateException": (
        "KMSInvalidStateException",
        "the state of the KMS key used is not valid for Decrypt",
    ),
    "NotFoundException": _NOT_FOUND,
}
"""Code and reason of a rejected invocation, by KMS's code."""
TEMPORARY_ERRORS = frozenset(code for code, _ in _INVOCATION_ERRORS.values())
"""Errors after which Lambda retries an asynchronous invocation, like those of its own (5xx)."""


class Encryption:
    """Checks the KMS keys of functions."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def check_key(self, made: Configuration, before: Configuration | None = None) -> None:
        """Check the key of a configuration with which Lambda encrypts variables anew.

        A change of key, variables or role needs the key; others do not.

        Raises:
            ApiError: the key cannot be used.
        """
        if not made.kms_key or (before is not None and _parts(made) == _parts(before)):
            return
        if not re.fullmatch(_PATTERN, made.kms_key):
            raise ApiError(
                "ValidationException",
                f"1 validation error detected: Value '{made.kms_key}' at 'kMSKeyArn' failed to "
                f"satisfy constraint: Member must satisfy regular expression pattern: {_PATTERN}",
            )
        problem = unusable(made.kms_key)
        if problem is not None:
            raise invalid(
                "Lambda was unable to configure access to your environment variables because the "
                "KMS key is invalid for CreateGrant. Please check your KMS key settings. KMS "
                f"Exception: {problem.code} KMS Message: {problem.message}"
            )

    def check_variables(self, function: Function, version: Version) -> None:
        """Check that Lambda can decrypt a version's variables as its execution role.

        Raises:
            InvocationError: KMSAccessDeniedException, KMSDisabledException,
                KMSInvalidStateException or KMSNotFoundException.
        """
        session = role_session(version.configuration.role, function.name)
        problem = self._problem(session, function, version)
        if problem is not None:
            code, reason = _INVOCATION_ERRORS.get(problem.code, _NOT_FOUND)
            # AWS has no space before "KMS Message" here, in all reports.
            raise InvocationError(
                code,
                f"Lambda was unable to decrypt the environment variables because {reason}. Please "
                f"check the function's KMS key settings. KMS Exception: {problem.code}KMS Message: "
                f"{problem.message}",
            )

    def unreadable(
        self, caller: Session | None, function: Function, version: Version
    ) -> dict[str, Any] | None:
        """Return `EnvironmentError` for a caller who may not read the variables, or None.

        An administrator (None) may.
        """
        problem = self._problem(caller, function, version)
        if problem is None:
            return None
        message = (
            "Lambda was unable to decrypt your environment variables because the KMS access was "
            "denied. Please check your KMS permissions. "
            f"KMS Exception: {problem.code} KMS Message: {problem.message}"
        )
        return {"ErrorCode": problem.code, "Message": message}

    def _problem(
        self, session: Session | None, function: Function, version: Version
    ) -> KeyProblem | None:
        configuration = version.configuration
        if not configuration.kms_key or not configuration.environment:
            return None
        problem = unusable(configuration.kms_key)
        if problem is not None or session is None:
            return problem
        wanted = decrypt_variables(function.at().arn, configuration.kms_key)
        refused = self._access.own_call(session, function.region, wanted)
        return None if refused is None else KeyProblem(_DENIED, refused.message)


def _parts(configuration: Configuration) -> tuple[object, ...]:
    return configuration.kms_key, configuration.environment, configuration.role
