"""Uses of a customer's KMS key by Lambda and CloudWatch Logs.

Sources: Lambda guide, "Securing Lambda environment variables"; CloudWatch Logs guide, "Encrypt log
data in CloudWatch Logs using AWS Key Management Service".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iam.actions.call import Needed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOG_ACTIONS = (
    "kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey",
)  # fmt: skip


def configure_variables(function: str, key: str) -> list[Needed]:
    """What the caller needs to encrypt a function's environment variables with a key.

    `function` and `key` are ARNs. Lambda creates a grant for itself, so that a key policy which
    permits grants only to AWS services permits it.
    """
    context = _through_lambda(function) | {"aws:viaawsservice": ["true"]}
    grant = context | {"kms:grantisforawsresource": ["true"]}
    return [
        Needed("kms:CreateGrant", key, context=grant),
        Needed("kms:Encrypt", key, context=context),
    ]


def decrypt_variables(function: str, key: str) -> Needed:
    """What the execution role needs to run a function, and a caller to read its variables."""
    return Needed("kms:Decrypt", key, context=_through_lambda(function))


def encrypt_logs(group: str, key: str) -> list[Needed]:
    """What the key's policy has to allow CloudWatch Logs for the ARN of a log group.

    These are the actions of the policy in the guide, except `kms:DescribeKey`: that has no
    encryption context, on which the guide's policy is conditional.
    """
    context = _encryption_context("aws:logs:arn", group)
    return [Needed(each, key, context=context) for each in _LOG_ACTIONS]


def _through_lambda(function: str) -> dict[str, Sequence[str]]:
    service = f"lambda.{function.split(':')[3]}.amazonaws.com"
    return {"kms:viaservice": [service], **_encryption_context("aws:lambda:FunctionArn", function)}


def _encryption_context(name: str, value: str) -> Mapping[str, Sequence[str]]:
    return {
        f"kms:encryptioncontext:{name}".lower(): [value],
        "kms:encryptioncontextkeys": [name],
    }
