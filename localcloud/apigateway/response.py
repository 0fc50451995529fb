"""HTTP responses: a function's proxy response, or one of the gateway itself."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_RESPONSE_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
# Headers that the gateway sets itself; it renames those of the function.
_REMAPPED = frozenset({"connection", "content-length", "date", "server"})


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response: status, headers and body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class GatewayError(Exception):
    """The gateway responds itself: `message` is for the client, `reason` for the log."""

    def __init__(self, status: int, message: str, error: str, reason: str = "") -> None:
        super().__init__(reason or message)
        self.status = status
        self.message = message
        self.error = error
        """The value of the `x-amzn-ErrorType` header."""

    def answer(self) -> HttpResponse:
        """Return the response that the client receives."""
        headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", self.error)]
        return HttpResponse(self.status, headers, json.dumps({"message": self.message}).encode())


def malformed(reason: str) -> GatewayError:
    """Return the error for a function's output that is not a proxy response."""
    return GatewayError(
        502,
        "Internal server error",
        "InternalServerErrorException",
        f"Execution failed due to configuration error: {reason}",
    )


def parse_proxy_response(payload: bytes, *, decodes: Callable[[], bool]) -> HttpResponse:
    """Parse a function's proxy response.

    `decodes` returns whether the client accepts binary content, so that base64 is decoded. See
    "Output format of a Lambda function for proxy integration" of the developer guide.

    Raises:
        FaultError: the response is malformed.
    """
    try:
        response = json.loads(payload)
    except ValueError:
        response = None
    if not isinstance(response, dict) or not response.keys() <= _RESPONSE_KEYS:
        raise malformed("Malformed Lambda proxy response")
    body = response.get("body")
    if not isinstance(body, str | None):
        raise malformed("Malformed Lambda proxy response")
    content = (body or "").encode()
    if response.get("isBase64Encoded") is True and content and decodes():
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error as error:
            raise malformed("Unable to base64 decode the body.") from error
    status = _status(response.get("statusCode"))
    headers = _headers(response)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    return HttpResponse(status, headers, content)


def _status(value: Any) -> int:
    try:
        status = int(value)
    except (TypeError, ValueError):
        status = 0
    if isinstance(value, bool) or not 100 <= status <= 599:  # noqa: PLR2004  # HTTP's own range
        raise malformed("Malformed Lambda proxy response")
    return status


def _headers(response: dict[str, Any]) -> list[tuple[str, str]]:
    single = response.get("headers") or {}
    several = response.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(several, dict):
        raise malformed("Malformed Lambda proxy response")
    if not all(isinstance(values, list) for values in several.values()):
        raise malformed("Malformed Lambda proxy response")
    # `multiValueHeaders` overrides `headers`.
    given = {name.lower() for name in several}
    pairs = [(name, value) for name, value in single.items() if name.lower() not in given]
    pairs += [(name, value) for name, values in several.items() for value in values]
    return [(_header_name(name), _text(value)) for name, value in pairs if value is not None]


def _header_name(name: str) -> str:
    return f"x-amzn-Remapped-{name}" if name.lower() in _REMAPPED else name


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise malformed("Malformed Lambda proxy response")
    text = str(value)
    if "\r" in text or "\n" in text:
        raise malformed("Malformed Lambda proxy response")
    return text
