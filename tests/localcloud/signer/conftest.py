from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
PLATFORM = "AWSLambda-SHA384-ECDSA"


@dataclass
class Signing:
    """A local cloud with Signer and a versioned bucket."""

    server: LocalCloud

    def __post_init__(self) -> None:
        self.client = self.server.cloud.client("signer", ACCOUNT, REGION)
        self.s3 = self.server.cloud.client("s3", ACCOUNT, REGION)

    def zipped(self, source: str) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("app.py"), source)
        return content.getvalue()

    def profile(self, name: str = "release", **parameters: Any) -> Any:
        return self.client.put_signing_profile(profileName=name, platformId=PLATFORM, **parameters)

    def job(self, content: bytes, profile: str = "release", **parameters: Any) -> Any:
        """Start a job; return its description at the end."""
        put = self.s3.put_object(Bucket="code", Key="app.zip", Body=content)
        made = {
            "source": {"s3": {"bucketName": "code", "key": "app.zip", "version": put["VersionId"]}},
            "destination": {"s3": {"bucketName": "code", "prefix": "signed/"}},
            "profileName": profile,
        }
        started = self.client.start_signing_job(**made | parameters)
        return self.client.describe_signing_job(jobId=started["jobId"])

    def signed(self, content: bytes, profile: str = "release") -> bytes:
        place = self.job(content, profile)["signedObject"]["s3"]
        answer = self.s3.get_object(Bucket=place["bucketName"], Key=place["key"])
        signed: bytes = answer["Body"].read()
        return signed


@pytest.fixture
def start(start_cloud: Callable[..., LocalCloud]) -> Callable[[], Signing]:
    def started() -> Signing:
        made = Signing(start_cloud(services=("sts", "signer")))
        if not made.s3.list_buckets()["Buckets"]:
            where = {"LocationConstraint": REGION}
            made.s3.create_bucket(Bucket="code", CreateBucketConfiguration=where)
            made.s3.put_bucket_versioning(
                Bucket="code", VersioningConfiguration={"Status": "Enabled"}
            )
        return made

    return started


@pytest.fixture
def signing(start: Callable[[], Signing]) -> Signing:
    return start()
