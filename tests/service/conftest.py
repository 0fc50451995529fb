from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import pytest
from fastapi.testclient import TestClient
from moto import mock_aws

from service.app import create_app
from service.settings import Settings
from service.storage import S3Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "files-of-the-tests"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield BUCKET


@pytest.fixture
def client(bucket: str) -> Iterator[TestClient]:
    settings = Settings(
        bucket=bucket,
        environment="test",
        commit="c0ffee",
        aws_lambda_function_version="7",
        allowed_origins=("https://app.example",),
    )
    with TestClient(create_app(settings, S3Storage(bucket))) as client:
        yield client
