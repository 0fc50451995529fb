"""Log groups under a customer's KMS key.

CloudWatch Logs uses the key by its own principal, which the key's policy has to allow. Sources:
`AssociateKmsKey` of the API reference; CloudWatch Logs guide, "Encrypt log data in CloudWatch Logs
using AWS Key Management Service"; aws-cdk#28304, terraform-provider-aws#29282, terraform#24194.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.core.service_api import ApiError
from localcloud.iam.acting import ServicePrincipal
from localcloud.iam.actions.service_keys import encrypt_logs
from localcloud.iam.key_states import unusable

if TYPE_CHECKING:
    from localcloud.iam.access import Access

_KEY = re.compile(r"arn:aws:kms:(?P<region>[a-z0-9-]+):\d{12}:key/.+")


class Encryption:
    """Checks the KMS keys of log groups."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def check_key(self, group_arn: str, key: str) -> None:
        """Check a key before it is associated with a log group; "" is no key.

        An alias is rejected, which is the stricter reading.

        Raises:
            ApiError: the key cannot be used, or its policy does not allow CloudWatch Logs.
        """
        if not key:
            return
        found = _KEY.fullmatch(key)
        if found is None or found["region"] != _region(group_arn):
            raise _invalid("The specified KMS Key Id could not be found.")
        problem = unusable(key)
        if problem is not None and problem.code == "NotFoundException":
            raise _invalid("The specified KMS Key Id could not be found.")
        if problem is not None:
            raise _invalid(f"The specified KMS key cannot be used: {problem.message}")
        self._check_policy(group_arn, key)

    def check(self, group: dict[str, Any]) -> None:
        """Check that CloudWatch Logs can encrypt and decrypt the events of a log group.

        Raises:
            ApiError: AccessDeniedException.
        """
        key = group.get("kmsKeyId")
        if not key:
            return
        if unusable(key) is not None:
            raise _denied(group["logGroupArn"])
        self._check_policy(group["logGroupArn"], key)

    def _check_policy(self, group_arn: str, key: str) -> None:
        region = _region(group_arn)
        actor = ServicePrincipal(f"logs.{region}.amazonaws.com")
        wanted = encrypt_logs(group_arn, key)
        if self._access.own_call(actor, region, *wanted) is not None:
            raise _denied(group_arn)


def _region(arn: str) -> str:
    return arn.split(":")[3]


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)


def _denied(group_arn: str) -> ApiError:
    return ApiError(
        "AccessDeniedException",
        f"The specified KMS key does not exist or is not allowed to be used with Arn '{group_arn}'",
    )
