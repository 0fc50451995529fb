"""The AWS API as the judge speaks it: signed requests over HTTP, answers out of JSON."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pipeline.judge.port import UnjudgedError
from pipeline.judge.signing import Credentials, signed

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 5.0  # seconds for one answer
_TARGETS = {
    # Signing name: endpoint's prefix, `X-Amz-Target`'s prefix, version of the JSON protocol.
    "codedeploy": ("codedeploy", "CodeDeploy_20141006", "1.1"),
    "monitoring": ("monitoring", "GraniteServiceVersion20100801", "1.0"),
}
_FIRST_ERROR = 300


class AwsError(UnjudgedError):
    """AWS refused a request, or did not answer; the message says which and why."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What AWS answered, and when by its own clock."""

    body: bytes
    at: datetime

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON; no body is an empty object."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document


class Client:
    """Asks AWS by the credentials, the region and the endpoint of a function's environment.

    Every method raises `AwsError`. Nothing is tried again: the next minute is another try.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._region = environment["AWS_REGION"]
        self._endpoint = environment.get("AWS_ENDPOINT_URL")
        self._credentials = Credentials(
            environment["AWS_ACCESS_KEY_ID"],
            environment["AWS_SECRET_ACCESS_KEY"],
            environment["AWS_SESSION_TOKEN"],
        )

    def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Answer:
        """An operation of a service that speaks the JSON protocol."""
        prefix, target, version = _TARGETS[service]
        headers = {
            "content-type": f"application/x-amz-json-{version}",
            "x-amz-target": f"{target}.{operation}",
        }
        body = json.dumps(parameters).encode()
        return self._ask(service, f"{prefix}.{self._region}", "POST", "/", headers, body)

    def alias(self, function: str, name: str) -> Answer:
        """Lambda's `GetAlias`."""
        path = f"/2015-03-31/functions/{quote(function)}/aliases/{quote(name)}"
        return self._ask("lambda", f"lambda.{self._region}", "GET", path, {}, b"")

    def configuration(self, function: str, version: str) -> Answer:
        """Lambda's `GetFunctionConfiguration` of a version."""
        path = f"/2015-03-31/functions/{quote(f'{function}:{version}')}/configuration"
        return self._ask("lambda", f"lambda.{self._region}", "GET", path, {}, b"")

    def read(self, bucket: str, key: str) -> bytes | None:
        """S3's `GetObject`; None where there is no such object."""
        try:
            return self._object("GET", bucket, key, b"").body
        except AwsError as error:
            if error.status == http.client.NOT_FOUND:
                return None
            raise

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """S3's `PutObject`, of JSON."""
        self._object("PUT", bucket, key, body)

    def _object(self, method: str, bucket: str, key: str, body: bytes) -> Answer:
        path = f"/{quote(key)}"
        if self._endpoint:
            path = f"/{bucket}{path}"  # names below localhost are not resolved everywhere
        headers = {"content-type": "application/json"} if body else {}
        return self._ask("s3", f"{bucket}.s3.{self._region}", method, path, headers, body)

    def _ask(
        self,
        service: str,
        host: str,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        address = urlsplit(self._endpoint or f"https://{host}.amazonaws.com")
        secure = address.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(address.netloc, timeout=_PATIENCE)
        every = signed(
            method,
            address.netloc,
            path,
            headers,
            body,
            service=service,
            region=self._region,
            credentials=self._credentials,
            now=datetime.now(UTC),
        )
        try:
            connection.request(method, path, body or None, every)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise AwsError(f"{service} did not answer: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status >= _FIRST_ERROR:
            told = answer[:500].decode(errors="replace")
            raise AwsError(f"{service} answered {response.status}: {told}", response.status)
        return Answer(answer, parsedate_to_datetime(response.headers["date"]))
