"""Call the AWS API with signed HTTP requests and JSON."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from pipeline.judge.port import EvaluationError
from pipeline.judge.signing import Credentials, signed

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_SECONDS = 5.0
_TARGETS = {
    # Signing name: prefix of the endpoint, prefix of `X-Amz-Target`, version of the JSON protocol.
    "codedeploy": ("codedeploy", "CodeDeploy_20141006", "1.1"),
    "monitoring": ("monitoring", "GraniteServiceVersion20100801", "1.0"),
}
_FIRST_ERROR_STATUS = 300
_MAX_MESSAGE_BYTES = 500


class AwsError(EvaluationError):
    """AWS rejected a request or did not answer; the message names the service and the reason."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        """`code` is the error code of a JSON protocol, such as `ThrottlingException`."""
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Response:
    """A response of AWS with its time by AWS's clock."""

    body: bytes
    at: datetime

    @property
    def document(self) -> dict[str, Any]:
        """Return the parsed body; an empty object if there is no body."""
        document: dict[str, Any] = json.loads(self.body or b"{}")
        return document


class Client:
    """Sends requests with the credentials, the region and the endpoint in a function's variables.

    Every method raises `AwsError`. No request is retried: the next evaluation comes in a minute.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._region = variables["AWS_REGION"]
        self._endpoint = variables.get("AWS_ENDPOINT_URL")
        self._credentials = Credentials(
            variables["AWS_ACCESS_KEY_ID"],
            variables["AWS_SECRET_ACCESS_KEY"],
            variables["AWS_SESSION_TOKEN"],
        )

    def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Response:
        """Call an operation of a service with a JSON protocol."""
        prefix, target, version = _TARGETS[service]
        headers = {
            "content-type": f"application/x-amz-json-{version}",
            "x-amz-target": f"{target}.{operation}",
        }
        body = json.dumps(parameters).encode()
        return self._ask(service, f"{prefix}.{self._region}", "POST", "/", headers, body)

    def alias(self, function: str, name: str) -> Response:
        """Call Lambda's `GetAlias`."""
        path = f"/2015-03-31/functions/{quote(function)}/aliases/{quote(name)}"
        return self._ask("lambda", f"lambda.{self._region}", "GET", path, {}, b"")

    def configuration(self, function: str, version: str) -> Response:
        """Call Lambda's `GetFunctionConfiguration` for a version."""
        path = f"/2015-03-31/functions/{quote(f'{function}:{version}')}/configuration"
        return self._ask("lambda", f"lambda.{self._region}", "GET", path, {}, b"")

    def read(self, bucket: str, key: str) -> bytes | None:
        """Call S3's `GetObject`; None if there is no such object."""
        try:
            return self._object("GET", bucket, key, b"").body
        except AwsError as error:
            if error.status == http.client.NOT_FOUND:
                return None
            raise

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Call S3's `PutObject` with a JSON document."""
        self._object("PUT", bucket, key, body)

    def _object(self, method: str, bucket: str, key: str, body: bytes) -> Response:
        path = f"/{quote(key)}"
        if self._endpoint:
            path = f"/{bucket}{path}"  # not every system resolves names below localhost
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
    ) -> Response:
        address = urlsplit(self._endpoint or f"https://{host}.amazonaws.com")
        secure = address.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(address.netloc, timeout=_TIMEOUT_SECONDS)
        signed_headers = signed(
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
            connection.request(method, path, body or None, signed_headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise AwsError(f"{service} did not answer: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status >= _FIRST_ERROR_STATUS:
            message = answer[:_MAX_MESSAGE_BYTES].decode(errors="replace")
            raise AwsError(
                f"{service} answered {response.status}: {message}", response.status, _code(answer)
            )
        return Response(answer, parsedate_to_datetime(response.headers["date"]))


def _code(answer: bytes) -> str:
    """Return the code of a JSON protocol's error, without its namespace; empty if there is none."""
    try:
        found = json.loads(answer)
    except ValueError:
        return ""
    kind = found.get("__type", "") if isinstance(found, dict) else ""
    return str(kind).rpartition("#")[2]
