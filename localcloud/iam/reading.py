"""Read a signed HTTP request as an API call, by botocore's models."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from moto.core.request import Request
from moto.core.responses import BaseResponse

from localcloud.iam.actions.call import Call
from localcloud.iam.actions.s3 import S3Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.core.credentials import Caller

_MODELS = {"monitoring": "cloudwatch", "states": "stepfunctions"}
"""botocore's name of a service, where the signature has another."""


def read_call(environ: Mapping[str, Any], caller: Caller) -> Call:
    """The operation and the parameters of a request that is not to S3.

    Of a request that the service's model does not know, the operation is `Unknown`.
    """
    if caller.service == "apigateway":
        # IAM names the calls of API Gateway's control plane by method and path.
        return Call(
            caller.service,
            environ["REQUEST_METHOD"],
            caller.account,
            caller.region,
            {"path": environ["PATH_INFO"], "patchOperations": _patch_operations(environ)},
        )
    body = environ["wsgi.input"].getvalue()
    request = Request(dict(environ) | {"wsgi.input": io.BytesIO(body)})
    reader = BaseResponse(service_name=_MODELS.get(caller.service, caller.service))
    reader.automated_parameter_parsing = True
    try:
        reader.setup_class(request, request.url, request.headers)
        operation = reader._get_action()  # noqa: SLF001  # moto has no port for it
        parameters: Mapping[str, Any] = reader.params or {}
    except Exception:  # noqa: BLE001  # moto raises what it likes; the service refuses it itself
        operation, parameters = "", {}
    return Call(caller.service, operation or "Unknown", caller.account, caller.region, parameters)


def _patch_operations(environ: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The patch operations of a PATCH to API Gateway; it rejects a malformed body itself."""
    if environ["REQUEST_METHOD"] != "PATCH":
        return []
    try:
        body = json.loads(environ["wsgi.input"].getvalue())
    except ValueError:
        return []
    found = body.get("patchOperations") if isinstance(body, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def read_s3(environ: Mapping[str, Any], caller: Caller) -> S3Request:
    """A request to S3 in the path style."""
    bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_X_AMZ_")
    }
    body: bytes = environ["wsgi.input"].getvalue() if "delete" in query else b""
    return S3Request(
        environ["REQUEST_METHOD"], bucket, key, query, headers, body, caller.account, caller.region
    )
