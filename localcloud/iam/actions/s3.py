"""Requests to S3: their actions differ from their operations.

Source: "Required permissions for Amazon S3 API operations" (S3 User Guide). An object that a
customer's KMS key encrypts also needs that key, through S3 ("Using server-side encryption with AWS
KMS keys"). A read of an absent object needs `s3:ListBucket` ("GetObject" of the S3 API reference).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.sax.saxutils import unescape

from localcloud.iam.actions.call import BucketFacts, Needed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.iam.actions.call import Facts

_BUCKET_READS = {
    "versions": "ListBucketVersions",
    "uploads": "ListBucketMultipartUploads",
    "location": "GetBucketLocation",
    "versioning": "GetBucketVersioning",
    "policy": "GetBucketPolicy",
    "policyStatus": "GetBucketPolicyStatus",
    "acl": "GetBucketAcl",
    "encryption": "GetEncryptionConfiguration",
    "lifecycle": "GetLifecycleConfiguration",
    "cors": "GetBucketCORS",
    "tagging": "GetBucketTagging",
    "notification": "GetBucketNotification",
    "publicAccessBlock": "GetBucketPublicAccessBlock",
    "logging": "GetBucketLogging",
    "website": "GetBucketWebsite",
    "replication": "GetReplicationConfiguration",
    "object-lock": "GetBucketObjectLockConfiguration",
    "ownershipControls": "GetBucketOwnershipControls",
    "accelerate": "GetAccelerateConfiguration",
    "analytics": "GetAnalyticsConfiguration",
    "intelligent-tiering": "GetIntelligentTieringConfiguration",
    "inventory": "GetInventoryConfiguration",
    "metrics": "GetMetricsConfiguration",
    "requestPayment": "GetBucketRequestPayment",
}
_BUCKET_DELETES = {"policy": "DeleteBucketPolicy", "website": "DeleteBucketWebsite"}
_OBJECT_PARTS = {
    "acl": "ObjectAcl",
    "tagging": "ObjectTagging",
    "retention": "ObjectRetention",
    "legal-hold": "ObjectLegalHold",
}
_DELETED = re.compile(rb"<Object>(.*?)</Object>", re.DOTALL)
_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)
_LISTING = ("prefix", "delimiter", "max-keys")
_WRITE_HEADERS = (
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-acl",
    "x-amz-storage-class", "x-amz-copy-source", "x-amz-metadata-directive",
)  # fmt: skip
"""Headers that are condition keys; a header that a request does not have is an absent key."""


@dataclass(frozen=True)
class S3Request:
    """A request in the path style, with the query as far as it has values."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """By names in lower case."""
    body: bytes = b""
    account: str = ""
    region: str = ""


def needed(request: S3Request, facts: Facts) -> list[Needed]:
    """What a request needs."""
    if not request.bucket:
        return [Needed("s3:ListAllMyBuckets")]
    bucket = facts.bucket(request.bucket) or BucketFacts(request.account, request.region)
    arn = f"arn:aws:s3:::{request.bucket}"
    if "delete" in request.query and request.method == "POST":
        return [
            Needed(
                "s3:DeleteObjectVersion" if b"<VersionId>" in each else "s3:DeleteObject",
                f"{arn}/{unescape(key.decode())}",
                bucket.account,
            )
            for each in _DELETED.findall(request.body)
            for key in _KEY.findall(each)
        ]
    if not request.key:
        context = {
            f"s3:{name}": [request.query.get(name, "")]
            for name in _LISTING
            if name in request.query
        }
        return [Needed(f"s3:{_bucket_action(request)}", arn, bucket.account, context)]
    return _object(request, f"{arn}/{request.key}", bucket, facts)


def _bucket_action(request: S3Request) -> str:
    part = next((each for each in request.query if each in _BUCKET_READS), "")
    read = _BUCKET_READS.get(part, "")
    if request.method in {"GET", "HEAD"}:
        return read or "ListBucket"
    if request.method == "DELETE" and (not part or part in _BUCKET_DELETES):
        return _BUCKET_DELETES.get(part, "DeleteBucket")
    return read.replace("Get", "Put", 1) if read else "CreateBucket"


def _object(request: S3Request, arn: str, bucket: BucketFacts, facts: Facts) -> list[Needed]:
    query, version = request.query, "Version" if request.query.get("versionId") else ""
    part = next((name for each, name in _OBJECT_PARTS.items() if each in query), "")
    verb = {"GET": "Get", "HEAD": "Get", "DELETE": "Delete"}.get(request.method, "Put")
    if part:
        action = f"{verb}{part.replace('Object', f'Object{version}', 1)}"
        return [Needed(f"s3:{action}", arn, bucket.account)]
    if "uploadId" in query and request.method in {"GET", "DELETE"}:
        action = "ListMultipartUploadParts" if request.method == "GET" else "AbortMultipartUpload"
        return [Needed(f"s3:{action}", arn, bucket.account)]
    if verb != "Put":
        found = [Needed(f"s3:{verb}Object{version}", arn, bucket.account)]
        if verb == "Get" and not facts.has_object(request.bucket, request.key):
            # Without this permission, S3 does not say that an object is absent.
            found.append(Needed("s3:ListBucket", arn.partition("/")[0], bucket.account))
        key = _read_key(request, facts) if verb == "Get" else ""
        return found + ([_through_s3("kms:Decrypt", key, arn, bucket)] if key else [])
    return _written(request, arn, bucket, facts)


def _read_key(request: S3Request, facts: Facts) -> str:
    """The key that a read needs, or "".

    AWS's own key for S3 lets its account use it through S3, and nobody else (aws-cdk#4182).
    """
    managed = facts.managed_key(request.bucket, request.key)
    if managed:
        return managed if managed.split(":")[4] != request.account else ""
    return facts.object_key(request.bucket, request.key)


def _written(request: S3Request, arn: str, bucket: BucketFacts, facts: Facts) -> list[Needed]:
    context = {
        f"s3:{name}": [request.headers[name]] for name in _WRITE_HEADERS if name in request.headers
    }
    found = [Needed("s3:PutObject", arn, bucket.account, context)]
    if "x-amz-tagging" in request.headers:
        found.append(Needed("s3:PutObjectTagging", arn, bucket.account))
    if "x-amz-acl" in request.headers:
        found.append(Needed("s3:PutObjectAcl", arn, bucket.account))
    named = request.headers.get("x-amz-server-side-encryption-aws-kms-key-id", "")
    method = request.headers.get("x-amz-server-side-encryption", "")
    key = facts.key(bucket.account, bucket.region, named) if named else bucket.key
    if key and method != "AES256":
        found.append(_through_s3("kms:GenerateDataKey", key, arn, bucket))
        if "uploadId" in request.query or "uploads" in request.query:
            found.append(_through_s3("kms:Decrypt", key, arn, bucket))
    source = unquote(request.headers.get("x-amz-copy-source", "")).lstrip("/")
    if source:
        name, _, rest = source.partition("/")
        copied = S3Request(
            "GET", name, rest.partition("?")[0], account=request.account, region=request.region
        )
        found += needed(copied, facts)
    return found


def _through_s3(action: str, key: str, arn: str, bucket: BucketFacts) -> Needed:
    """A use of a KMS key by S3; with a bucket key, the context names the bucket alone."""
    encrypted = arn.partition("/")[0] if bucket.bucket_key else arn
    context = {
        "kms:viaservice": [f"s3.{bucket.region}.amazonaws.com"],
        "kms:encryptioncontext:aws:s3:arn": [encrypted],
        "kms:encryptioncontextkeys": ["aws:s3:arn"],
        "aws:viaawsservice": ["true"],
    }
    return Needed(action, key, context=context)
