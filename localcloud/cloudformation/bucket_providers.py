"""The providers of S3 buckets and bucket policies, by the S3 API.

moto's CloudFormation model of them supports only few properties.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localcloud.cloudformation import schemas
from localcloud.core.providers import ProvisioningError, Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.core.clients import ClientFactory
    from localcloud.core.providers import ResourceRequest

_UNSUPPORTED = {
    "NotificationConfiguration", "ObjectLockConfiguration", "ObjectLockEnabled",
    "ReplicationConfiguration", "WebsiteConfiguration",
}  # fmt: skip
"""Rejected properties: they have an effect on AWS, and none here.

Other unsupported properties have no effect that a client sees.
"""
_RULE = {
    "Id": "ID",
    "Status": "Status",
}
_DAYS = {
    "NoncurrentVersionExpiration": ("NoncurrentDays", "NewerNoncurrentVersions"),
    "AbortIncompleteMultipartUpload": ("DaysAfterInitiation",),
}
_MARKER = "ExpiredObjectDeleteMarker"


def _lifecycle(value: dict[str, Any]) -> dict[str, Any]:
    rules = []
    for rule in value["Rules"]:
        out: dict[str, Any] = {_RULE[name]: rule[name] for name in _RULE.keys() & rule.keys()}
        out["Filter"] = {"Prefix": rule.get("Prefix", "")}
        for name in _DAYS.keys() & rule.keys():
            out[name] = {key: int(rule[name][key]) for key in _DAYS[name] if key in rule[name]}
        if "ExpirationInDays" in rule:
            out["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
        if _MARKER in rule:
            out.setdefault("Expiration", {})[_MARKER] = _true(rule[_MARKER])
        rest = rule.keys() - _RULE.keys() - _DAYS.keys() - {"Prefix", "ExpirationInDays", _MARKER}
        if rest:
            raise ProvisioningError(
                f"{', '.join(sorted(rest))} of a lifecycle rule is not part of the local cloud"
            )
        rules.append(out)
    return {"LifecycleConfiguration": {"Rules": rules}}


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _encryption(value: dict[str, Any]) -> dict[str, Any]:
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            "BucketKeyEnabled": _true(rule.get("BucketKeyEnabled")),
        }
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    return {"ServerSideEncryptionConfiguration": {"Rules": rules}}


def _public_access(value: dict[str, Any]) -> dict[str, Any]:
    return {"PublicAccessBlockConfiguration": {key: _true(each) for key, each in value.items()}}


_Request = dict[str, Any]
_SETTINGS: dict[str, tuple[str, Callable[[Any], _Request], str, _Request]] = {
    # Property: operation that sets it, its parameters; operation that resets it, its parameters.
    "VersioningConfiguration": (
        "put_bucket_versioning",
        lambda value: {"VersioningConfiguration": value},
        "put_bucket_versioning",
        {"VersioningConfiguration": {"Status": "Suspended"}},
    ),
    "BucketEncryption": (
        "put_bucket_encryption",
        _encryption,
        "delete_bucket_encryption",
        {},
    ),
    "PublicAccessBlockConfiguration": (
        "put_public_access_block",
        _public_access,
        "delete_public_access_block",
        {},
    ),
    "OwnershipControls": (
        "put_bucket_ownership_controls",
        lambda value: {"OwnershipControls": value},
        "delete_bucket_ownership_controls",
        {},
    ),
    "LifecycleConfiguration": (
        "put_bucket_lifecycle_configuration",
        _lifecycle,
        "delete_bucket_lifecycle",
        {},
    ),
    "Tags": (
        "put_bucket_tagging",
        lambda value: {"Tagging": {"TagSet": value}},
        "delete_bucket_tagging",
        {},
    ),
}


def _acl(properties: dict[str, Any]) -> str:
    """Return the canned ACL of a bucket, or "".

    Raises:
        ProvisioningError: the bucket has ACLs disabled (landing-zone-accelerator#146).
    """
    name = properties.get("AccessControl") or ""
    rules = (properties.get("OwnershipControls") or {}).get("Rules") or [{}]
    enforced = rules[0].get("ObjectOwnership", "BucketOwnerEnforced") == "BucketOwnerEnforced"
    if enforced and name not in {"", "Private", "BucketOwnerFullControl"}:
        raise ProvisioningError(
            "The bucket does not allow ACLs (Service: Amazon S3; Status Code: 400; Error Code: "
            "AccessControlListNotSupported)"
        )
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


class BucketProvider:
    """`AWS::S3::Bucket`."""

    def __init__(self, client: ClientFactory) -> None:
        self._client = client

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the bucket if its name changes."""
        name = request.properties.get("BucketName")
        return bool(name != current.properties.get("BucketName"))

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        _check(request)
        _acl(request.properties)
        name = request.properties.get("BucketName") or request.generated_name(63).lower()
        s3 = self._client("s3", request.account, request.region)
        try:
            s3.head_bucket(Bucket=name)
        except ClientError:
            where = {"LocationConstraint": request.region}
            located = {} if request.region == "us-east-1" else {"CreateBucketConfiguration": where}
            s3.create_bucket(Bucket=name, **located)
        else:
            raise ProvisioningError(f"{name} already exists")
        attributes = {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{request.region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{request.region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website.{request.region}.amazonaws.com",
        }
        made = Resource(name, attributes, {})
        try:
            return self.update(request, made)
        except Exception:
            self.delete(request, made)
            raise

    def update(self, request: ResourceRequest, current: Resource) -> Resource:
        """See `Provider.update`."""
        _check(request)
        s3 = self._client("s3", request.account, request.region)
        for name, (put, shaped, back, nothing) in _SETTINGS.items():
            value = request.properties.get(name)
            if value:
                getattr(s3, put)(Bucket=current.physical_id, **shaped(value))
            elif current.properties.get(name):
                getattr(s3, back)(Bucket=current.physical_id, **nothing)
        acl = _acl(request.properties)
        if acl or current.properties.get("AccessControl"):
            s3.put_bucket_acl(Bucket=current.physical_id, ACL=acl or "private")
        return Resource(current.physical_id, current.attributes, request.properties)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`; fails if the bucket contains objects, as on AWS."""
        s3 = self._client("s3", request.account, request.region)
        try:
            s3.delete_bucket(Bucket=current.physical_id)
        except s3.exceptions.NoSuchBucket:
            return


class BucketPolicyProvider:
    """`AWS::S3::BucketPolicy`."""

    def __init__(self, client: ClientFactory) -> None:
        self._client = client

    def replaces(self, request: ResourceRequest, current: Resource) -> bool:
        """Replace the policy if its bucket changes."""
        return bool(request.properties["Bucket"] != current.physical_id)

    def create(self, request: ResourceRequest) -> Resource:
        """See `Provider.create`."""
        bucket = str(request.properties["Bucket"])
        self._client("s3", request.account, request.region).put_bucket_policy(
            Bucket=bucket, Policy=json.dumps(request.properties["PolicyDocument"])
        )
        return Resource(bucket, {}, request.properties)

    def update(self, request: ResourceRequest, current: Resource) -> Resource:  # noqa: ARG002  # the port's own signature
        """See `Provider.update`."""
        return self.create(request)

    def delete(self, request: ResourceRequest, current: Resource) -> None:
        """See `Provider.delete`."""
        s3 = self._client("s3", request.account, request.region)
        try:
            s3.delete_bucket_policy(Bucket=current.physical_id)
        except s3.exceptions.NoSuchBucket:
            return


def _check(request: ResourceRequest) -> None:
    schemas.require(request)
    refused = _UNSUPPORTED & request.properties.keys()
    if refused:
        raise ProvisioningError(
            f"{', '.join(sorted(refused))} of bucket {request.logical_id} is not part of the "
            "local cloud"
        )
