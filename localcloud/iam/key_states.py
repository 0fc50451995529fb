"""KMS keys that cannot be used, in KMS's words.

Source: KMS guide, "Key states of AWS KMS keys"; terraform-provider-aws#17889.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from localcloud.iam.stored import moto_backend

_PENDING_DELETION = "PendingDeletion"
_ARN_PARTS = 6


class KeyProblem(NamedTuple):
    """KMS's code and message for a key that it does not use."""

    code: str
    message: str


def unusable(arn: str) -> KeyProblem | None:
    """Return why the key of an ARN cannot be used, or None.

    An alias is no key: a service that keeps the ARN of a key rejects it. So is a key that is not
    for symmetric encryption.
    """
    parts = arn.split(":")
    if len(parts) == _ARN_PARTS and parts[5].startswith("alias/"):
        message = "Key Aliases are not supported for this operation."
        return KeyProblem("InvalidArnException", message)
    backend = moto_backend("kms", parts[4], parts[3]) if len(parts) == _ARN_PARTS else None
    key = backend.keys.get(parts[5].removeprefix("key/")) if backend else None
    if key is None:
        return KeyProblem("NotFoundException", f"Key '{arn}' does not exist")
    problem = disabled(key)
    if problem is None and key.key_spec != "SYMMETRIC_DEFAULT":
        message = f"{arn} is not a symmetric encryption key."
        problem = KeyProblem("UnsupportedOperationException", message)
    return problem


def disabled(key: Any) -> KeyProblem | None:
    """Return why moto's key cannot be used, or None."""
    problem = pending_deletion(key)
    if problem is None and not key.enabled:
        problem = KeyProblem("DisabledException", f"{key.arn} is disabled.")
    return problem


def pending_deletion(key: Any) -> KeyProblem | None:
    """Return the problem of a key that will be deleted, or None."""
    if key.key_state != _PENDING_DELETION:
        return None
    return KeyProblem("KMSInvalidStateException", f"{key.arn} is pending deletion.")
