"""The answer to a call that IAM denies, in the wire format that its client reads."""

from __future__ import annotations

import json
from typing import Any
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from localcloud.core.request_id import request_id

_XML = {"cloudformation", "iam", "sns", "sts"}
"""Services of the query protocol; CloudWatch and SQS speak several."""
_CODES = {"sns": "AuthorizationError", "s3": "AccessDenied"}
_CBOR_TEXT = 0x60
_SHORT, _BYTE, _WORD = 24, 0x100, 0x10000


def denied_response(environ: dict[str, Any], service: str, message: str) -> Response:
    """Return `AccessDenied` as the service of a request does."""
    content = str(environ.get("CONTENT_TYPE", ""))
    if "cbor" in content:
        code, status, kind = "AccessDeniedException", 400, "application/cbor"
        pairs = (("__type", code), ("message", message))
        body = b"\xa2" + b"".join(_cbor(each) for pair in pairs for each in pair)
        headers = {"smithy-protocol": "rpc-v2-cbor"}
    elif service == "s3" or service in _XML or "form-urlencoded" in content:
        code, status, kind, headers = _CODES.get(service, "AccessDenied"), 403, "text/xml", {}
        error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        body = (
            f"<Error>{error}</Error>"
            if service == "s3"
            else f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
        ).encode()
    else:
        code = "AccessDeniedException"
        rest = "HTTP_X_AMZ_TARGET" not in environ
        status, kind = (403, "application/json") if rest else (400, content)
        body, headers = json.dumps({"__type": code, "message": message}).encode(), {}
    head = {
        "x-amzn-errortype": code,
        "x-amzn-requestid": request_id(),
        "Content-Type": kind,
    } | headers
    return Response(body, status=status, headers=head)


def _cbor(text: str) -> bytes:
    """A text string of RFC 8949."""
    raw = text.encode()
    size = len(raw)
    if size < _SHORT:
        return bytes([_CBOR_TEXT + size]) + raw
    if size < _BYTE:
        return bytes([_CBOR_TEXT + _SHORT, size]) + raw
    return bytes([_CBOR_TEXT + _SHORT + 1]) + min(size, _WORD - 1).to_bytes(2, "big") + raw
