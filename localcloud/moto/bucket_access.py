"""Buckets as S3 makes them since April 2023: no public access, and no access control lists.

Sources: S3 guide, "Default settings for new S3 buckets FAQ", "The meaning of public" and
"Controlling ownership of objects and disabling ACLs"; aws-cdk-examples#919, aws-cdk#25358,
landing-zone-accelerator-on-aws#146.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import TYPE_CHECKING, Any

from moto.s3.exceptions import S3AccessDeniedError, S3ClientError
from moto.s3.models import FakeBucket, PublicAccessBlock, S3Backend, get_canned_acl
from moto.s3.responses import S3Response

from localcloud.moto.checks import install

if TYPE_CHECKING:
    from collections.abc import Callable

_OWNER_ENFORCED = "BucketOwnerEnforced"
_OWNERSHIP_HEADER = "x-amz-object-ownership"
_PERMITTED_ACLS = {"private", "bucket-owner-full-control"}
"""Canned ACLs that grant nothing beyond the bucket owner's own access."""
_NARROWING_KEYS = {
    "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:principalorgpaths",
    "aws:sourceaccount", "aws:sourcearn", "aws:sourceip", "aws:sourceorgid", "aws:sourceowner",
    "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
}  # fmt: skip
"""Condition keys whose fixed values make a policy not public."""


def close_buckets() -> None:
    """Patch moto to make buckets with S3's defaults, and reject public policies and ACLs."""
    if hasattr(FakeBucket.__init__, "__wrapped__"):  # once a process
        return
    setattr(FakeBucket, "__init__", _closed(FakeBucket.__init__))  # noqa: B010  # moto has no port
    install(((S3Backend, "put_bucket_policy", _check_policy),))
    for name in ("_acl_from_headers", "_acl_from_body"):
        setattr(S3Response, name, _checked(getattr(S3Response, name)))
    # CreateBucket calls it before it makes the bucket.
    located = S3Response._get_location_constraint  # noqa: SLF001  # moto has no port for it
    setattr(S3Response, "_get_location_constraint", _checked_creation(located))  # noqa: B010  # as above


def _closed(made: Callable[..., None]) -> Callable[..., None]:
    @wraps(made)
    def closed(self: FakeBucket, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        every = dict.fromkeys(
            ("block_public_acls", "ignore_public_acls", "block_public_policy",
             "restrict_public_buckets"),
            "true",
        )  # fmt: skip
        self.public_access_block = PublicAccessBlock(**every)
        self.ownership_rule = _OWNER_ENFORCED  # type: ignore[assignment]  # as moto itself stores it

    return closed


def _check_policy(given: dict[str, Any]) -> None:
    block = given["self"].get_bucket(given["bucket_name"]).public_access_block
    blocked = block is not None and str(block.block_public_policy).lower() == "true"
    if blocked and _is_public(given["policy"]):
        raise S3AccessDeniedError


def _is_public(text: bytes) -> bool:
    try:
        stated = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError):
        return False  # moto rejects it as malformed
    for each in [stated] if isinstance(stated, dict) else stated:
        principal = each.get("Principal")
        named = principal.get("AWS") if isinstance(principal, dict) else principal
        everyone = named == "*" or (isinstance(named, list) and "*" in named)
        if each.get("Effect") == "Allow" and everyone and not _is_narrowed(each):
            return True
    return False


def _is_narrowed(statement: dict[str, Any]) -> bool:
    return any(
        key.lower() in _NARROWING_KEYS
        and "*" not in ([values] if isinstance(values, str) else values)
        for operator, keys in (statement.get("Condition") or {}).items()
        if not operator.startswith(("StringNot", "ArnNot", "NotIp", "Null"))
        for key, values in keys.items()
    )


def _checked(read: Callable[..., Any]) -> Callable[..., Any]:
    """Reject an ACL for a bucket with ACLs disabled, or for an object in it."""

    @wraps(read)
    def checked(self: S3Response, *arguments: Any) -> Any:
        acl = read(self, *arguments)
        bucket = self.backend.buckets.get(self.bucket_name) if acl is not None else None
        if bucket is None or self.headers.get(_OWNERSHIP_HEADER):  # CreateBucket has checked it
            return acl
        ownership: Any = bucket.ownership_rule
        if ownership == _OWNER_ENFORCED and not _is_permitted(acl):
            raise S3ClientError("AccessControlListNotSupported", "The bucket does not allow ACLs")
        block = bucket.public_access_block
        if acl.public_read and block is not None and block.block_public_acls:
            raise S3AccessDeniedError
        return acl

    return checked


def _checked_creation(create: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(create)
    def checked(self: S3Response, *arguments: Any, **named: Any) -> Any:
        ownership = self.headers.get(_OWNERSHIP_HEADER) or _OWNER_ENFORCED
        acl = self.headers.get("x-amz-acl") or "private"
        if ownership == _OWNER_ENFORCED and acl not in _PERMITTED_ACLS:
            raise S3ClientError(
                "InvalidBucketAclWithObjectOwnership",
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            )
        return create(self, *arguments, **named)

    return checked


def _is_permitted(acl: Any) -> bool:
    return any(repr(acl) == repr(get_canned_acl(name)) for name in _PERMITTED_ACLS)
