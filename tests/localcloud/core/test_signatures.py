"""SigV4 requests of boto3, and forged ones with another key or body."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.compose import Cloud
    from localcloud.server import LocalCloud

ACCOUNT, REGION = "111111111111", "eu-west-1"
HTTP = urllib3.PoolManager(retries=False)
KEY = "a folder/ü+%2F/../key"
SIGNER: Any = SigV4Auth  # the stubs leave out the private methods that tests override


@pytest.fixture
def cloud(start_cloud: Callable[..., LocalCloud]) -> Cloud:
    return start_cloud(services=("logs", "sts")).cloud


def client(cloud: Cloud, service: str, **more: Any) -> Any:
    made: Any = boto3.client
    keys = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": cloud.credentials.secret_key}
    config = Config(retries={"total_max_attempts": 1}, **more.pop("config", {}))
    return made(
        service, region_name=REGION, endpoint_url=cloud.endpoint, config=config, **keys | more
    )


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def signed(
    cloud: Cloud, auth: type[SigV4Auth] = SigV4Auth, service: str = "sts", **request: Any
) -> Any:
    """A request with a valid signature, to be tampered with."""
    made = AWSRequest(**{"method": "POST", "url": f"{cloud.endpoint}/"} | request)
    auth(Credentials(ACCOUNT, cloud.credentials.secret_key), service, REGION).add_auth(made)
    return made.prepare()


def send(request: Any, **changed: Any) -> tuple[int, str]:
    parts = {"url": request.url, "body": request.body} | changed
    headers = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
    headers |= parts.pop("headers", {})
    headers.pop("Content-Length", None)
    answer = HTTP.request(request.method, headers=headers, **parts)
    return answer.status, answer.data.decode()


class TestKey:
    @pytest.mark.parametrize("service", ["sts", "s3", "ssm", "iam", "lambda"])
    def test_another_secret_does_not_verify(self, cloud: Cloud, service: str) -> None:
        call = {
            "sts": "get_caller_identity", "s3": "list_buckets", "ssm": "describe_parameters",
            "iam": "list_roles", "lambda": "list_functions",
        }[service]  # fmt: skip
        getattr(client(cloud, service), call)()
        with pytest.raises(ClientError, match=r"endpoint\.json of its state folder") as refused:
            getattr(client(cloud, service, aws_secret_access_key="local"), call)()
        assert code(refused) == "SignatureDoesNotMatch"

    def test_each_state_folder_has_its_own_persistent_secret(
        self, start_cloud: Callable[..., LocalCloud], tmp_path: Any
    ) -> None:
        keys = []
        for name in ("one", "two", "one"):
            server = start_cloud(services=("logs",), state=tmp_path / name)
            keys.append(server.cloud.credentials.secret_key)
            server.stop()
        assert keys[0] == keys[2] != keys[1]
        assert min(map(len, keys)) >= 40

    def test_a_session_needs_its_own_secret_and_token(self, cloud: Cloud) -> None:
        session = cloud.credentials.assume(f"arn:aws:iam::{ACCOUNT}:role/r", "me")
        right = {
            "aws_access_key_id": session.access_key,
            "aws_secret_access_key": session.secret_key,
            "aws_session_token": session.token,
        }
        told = client(cloud, "sts", **right).get_caller_identity()
        assert told["Arn"] == session.arn
        for wrong, named in (
            ({"aws_secret_access_key": cloud.credentials.secret_key}, "SignatureDoesNotMatch"),
            ({"aws_session_token": "other"}, "InvalidClientTokenId"),
            ({"aws_session_token": None}, "InvalidClientTokenId"),
            ({"aws_access_key_id": ACCOUNT}, "InvalidClientTokenId"),
        ):
            with pytest.raises(ClientError) as refused:
                client(cloud, "sts", **right | wrong).get_caller_identity()
            assert code(refused) == named


class TestTampering:
    BODY = "Action=GetCallerIdentity&Version=2011-06-15"
    FORM = {"Content-Type": "application/x-www-form-urlencoded"}  # noqa: RUF012  # constant

    def test_body_path_query_headers_and_method(self, cloud: Cloud) -> None:
        request = signed(cloud, data=self.BODY, headers=self.FORM)
        assert send(request)[0] == 200
        for changed in (
            {"body": self.BODY + "&x=y"},
            {"url": f"{cloud.endpoint}/other"},
            {"url": f"{cloud.endpoint}/?x=y"},
            {"headers": {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}},
            {"headers": {"X-Amz-Date": time.strftime("%Y%m%dT%H%M01Z", time.gmtime())}},
        ):
            status, text = send(request, **changed)
            assert (status, "SignatureDoesNotMatch" in text) == (403, True), changed

    def test_x_amz_headers_must_be_signed(self, cloud: Cloud) -> None:
        request = signed(cloud, data=self.BODY, headers=self.FORM)
        status, text = send(request, headers={"X-Amz-Target": "X.GetSecretValue"})
        assert status == 403
        assert "headers present in the request which were not signed: x-amz-target" in text

    @pytest.mark.parametrize("minutes", [-16, 16])
    def test_an_old_or_an_early_signature(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, minutes: int
    ) -> None:
        request = signed(cloud, data=self.BODY, headers=self.FORM)
        wall = time.time()
        monkeypatch.setattr("localcloud.core.signatures.time.time", lambda: wall - 60 * minutes)
        monkeypatch.setattr(cloud.clock, "timestamp", lambda: wall - 60 * minutes)
        status, text = send(request)
        assert status == 403
        assert "time is too large" in text

    def test_a_client_that_follows_the_clouds_clock_is_served(
        self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """AWS's SDK for JavaScript signs with the time of the last response's `Date`."""
        cloud_time = time.time() + 3 * 24 * 3600
        told = datetime.fromtimestamp(cloud_time - 3600, UTC)
        with monkeypatch.context() as patch:
            patch.setattr("botocore.auth.get_current_datetime", lambda: told)
            request = signed(cloud, data=self.BODY, headers=self.FORM)
        assert send(request)[0] == 403
        monkeypatch.setattr(cloud.clock, "timestamp", lambda: cloud_time)
        assert send(request)[0] == 200


class TestS3:
    @pytest.fixture
    def s3(self, cloud: Cloud) -> Any:
        made = client(cloud, "s3")
        made.create_bucket(
            Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        return made

    def test_any_key_and_metadata(self, s3: Any) -> None:
        s3.put_object(Bucket="bucket", Key=KEY, Body=b"b" * 100_000, Metadata={"a": "x  y"})
        assert s3.get_object(Bucket="bucket", Key=KEY)["Body"].read() == b"b" * 100_000
        listed = s3.list_objects_v2(Bucket="bucket", Prefix="a folder/ü+%2F", MaxKeys=1)
        assert [each["Key"] for each in listed["Contents"]] == [KEY]

    def test_a_key_that_was_sent_less_encoded_than_signed(self, cloud: Cloud, s3: Any) -> None:
        """S3 encodes a path itself before it verifies (aws-sdk-go-v2, issue 952)."""
        s3.put_object(Bucket="bucket", Key="name_(1)+", Body=b"content")
        asked = {"Bucket": "bucket", "Key": "name_(1)+"}
        url = client(cloud, "s3", config={"signature_version": "s3v4"}).generate_presigned_url(
            "get_object", Params=asked
        )
        assert "%281%29" in url
        assert HTTP.request("GET", url.replace("%281%29", "(1)")).data == b"content"

    def test_an_unsigned_payload(self, cloud: Cloud, s3: Any) -> None:
        unsigned = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
        url = f"{cloud.endpoint}/bucket/unsigned"

        class Unsigned(S3SigV4Auth):
            def _modify_request_before_signing(self, request: Any) -> None:
                SIGNER._modify_request_before_signing(self, request)
                request.headers.replace_header("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")

        request = signed(
            cloud, Unsigned, "s3", method="PUT", url=url, data=b"any", headers=unsigned
        )
        assert send(request, body=b"other")[0] == 200
        assert s3.get_object(Bucket="bucket", Key="unsigned")["Body"].read() == b"other"

    def test_a_body_that_is_not_the_hashed_one(self, cloud: Cloud, s3: Any) -> None:
        url = f"{cloud.endpoint}/bucket/key"
        hashed = {"X-Amz-Content-SHA256": sha256(b"mine").hexdigest()}
        request = signed(
            cloud, S3SigV4Auth, "s3", method="PUT", url=url, data=b"mine", headers=hashed
        )
        status, text = send(request, body=b"evil")
        assert (status, "XAmzContentSHA256Mismatch" in text) == (400, True)
        assert "Contents" not in s3.list_objects_v2(Bucket="bucket")

    def test_a_presigned_url_is_valid_until_it_expires(
        self, cloud: Cloud, s3: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        s3.put_object(Bucket="bucket", Key="a key", Body=b"content")
        v4 = client(cloud, "s3", config={"signature_version": "s3v4"})
        asked = {"Bucket": "bucket", "Key": "a key"}
        url = v4.generate_presigned_url("get_object", Params=asked, ExpiresIn=60)
        assert HTTP.request("GET", url).data == b"content"
        assert (
            HTTP.request("GET", url.replace("X-Amz-Expires=60", "X-Amz-Expires=61")).status == 403
        )
        assert HTTP.request("DELETE", url).status == 403
        later = time.time() + 61
        monkeypatch.setattr("localcloud.core.signatures.time.time", lambda: later)
        answer = HTTP.request("GET", url)
        assert (answer.status, b"Request has expired" in answer.data) == (403, True)

    def test_the_older_presigned_urls_are_refused(self, cloud: Cloud, s3: Any) -> None:
        v2 = client(cloud, "s3", config={"signature_version": "s3"})
        asked = {"Bucket": "bucket", "Key": "key"}
        url = v2.generate_presigned_url("get_object", Params=asked)
        assert HTTP.request("GET", url).status == 403

    def test_chunks_are_signed_one_by_one(self, cloud: Cloud, s3: Any) -> None:
        url, kind = f"{cloud.endpoint}/bucket/chunked", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        data = [b"a" * 70_000, b"b" * 10, b""]

        class Chunked(S3SigV4Auth):
            body = b""

            def _modify_request_before_signing(self, request: Any) -> None:
                SIGNER._modify_request_before_signing(self, request)
                request.headers["X-Amz-Content-SHA256"] = kind

            def _inject_signature_to_request(self, request: Any, signature: str) -> Any:
                previous = signature
                for chunk in data:
                    hashes = (previous, sha256(b"").hexdigest(), sha256(chunk).hexdigest())
                    scope = self.credential_scope(request)
                    stamped = request.context["timestamp"]
                    lines = ("AWS4-HMAC-SHA256-PAYLOAD", stamped, scope, *hashes)
                    previous = self.signature("\n".join(lines), request)
                    head = f"{len(chunk):x};chunk-signature={previous}\r\n".encode()
                    Chunked.body += head + chunk + b"\r\n"
                return SIGNER._inject_signature_to_request(self, request, signature)

        headers = {
            "Content-Encoding": "aws-chunked",
            "X-Amz-Decoded-Content-Length": str(sum(map(len, data))),
        }
        request = signed(cloud, Chunked, "s3", method="PUT", url=url, headers=headers)
        for broken in (
            Chunked.body.replace(b"b" * 10, b"e" * 10),
            Chunked.body[:-90],
            Chunked.body[:100],
            b"",
        ):
            assert send(request, body=broken)[0] == 403
        assert send(request, body=Chunked.body)[0] == 200
        stored = s3.get_object(Bucket="bucket", Key="chunked")["Body"].read()
        assert stored == b"".join(data)


def test_another_services_presigned_url(cloud: Cloud) -> None:
    query = "?Action=GetCallerIdentity&Version=2011-06-15"
    request = signed(cloud, SigV4QueryAuth, method="GET", url=cloud.endpoint + "/" + query)
    assert send(request)[0] == 200
    assert send(request, url=request.url.replace("GetCallerIdentity", "AssumeRole"))[0] == 403
