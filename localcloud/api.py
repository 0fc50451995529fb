"""The AWS API: one WSGI application for the local cloud's services and for moto.

A request without a valid SigV4 signature is rejected. The scope of the signature names the service.
A `ServiceApi` answers requests to services of the local cloud. Moto answers all others, through the
journal that makes moto's state durable.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from moto.core.request import Request
from werkzeug.wrappers import Response

from localcloud.core import strict_json
from localcloud.core.credentials import Caller, ExpiredKeyError, UnknownKeyError
from localcloud.core.denied import denied_response
from localcloud.core.operations import changes_state, needs_space
from localcloud.core.request_id import new_request, request_id
from localcloud.core.signatures import Signature, SignatureError, verify
from localcloud.core.storage import StorageError, require_free_space

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.core.core import Core
    from localcloud.core.http import Wsgi
    from localcloud.core.service_api import ApiFactory
    from localcloud.iam.access import Access

logger = logging.getLogger(__name__)
_INVOCATIONS = ("/invocations", "/invoke-async", "/invoke-async/")
_INSUFFICIENT_STORAGE = 507
"""An AWS SDK does not retry after this status; it does after 500, 502, 503 and 504."""


class AwsApi:
    """The WSGI application on the API's port."""

    def __init__(
        self, core: Core, access: Access, apis: dict[str, ApiFactory], moto: Wsgi, git: Wsgi
    ) -> None:
        self._core = core
        self._access = access
        self._apis = apis
        self._moto = moto
        self._git = git

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request; return an AWS error if the disk rejects a write."""
        with new_request():
            return self._checked(environ, start_response)

    def _checked(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        try:
            if needs_space(environ):
                require_free_space(self._core.ledger.folder)
            wrong = _malformed_json(environ) if _has_json_body(environ) else ""
            if wrong:
                refused = _refuse(environ, 400, "SerializationException", wrong)
                return refused(environ, start_response)
            return self._answer(environ, start_response)
        except StorageError as error:
            return _refuse(environ, _INSUFFICIENT_STORAGE, "InternalFailure", str(error))(
                environ, start_response
            )

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/git-http/"):
            return self._git(environ, start_response)
        try:
            caller = self._caller(environ)
        except SignatureError as error:
            return _refuse(environ, error.status, error.code, str(error))(environ, start_response)
        denied = self._access.refusal(environ, caller)
        if denied is not None:
            answer = denied_response(environ, caller.service, denied.message)
            return answer(environ, start_response)
        api = self._apis.get(caller.service)
        if api is None:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account
            answered = self._moto(environ, start_response)
            if caller.service == "iam" and changes_state(environ):
                self._access.propagation.changed(caller.account)
            return answered
        try:
            status, headers, body = api(caller).answer(Request(environ))
        except StorageError:
            raise
        except Exception:  # a bug of ours answers its client, and is logged
            logger.exception("A request to %s fails", caller.service)
            return _refuse(
                environ,
                500,
                "InternalFailure",
                "The local cloud failed on this request; see the traceback in its log.",
            )(environ, start_response)
        return Response(body, status=status, headers=headers)(environ, start_response)

    def _caller(self, environ: dict[str, Any]) -> Caller:
        """Return the caller that signed the request.

        Raises:
            SignatureError: the signature is missing or invalid, or its access key is unknown.
        """
        signature = Signature.of(environ)
        if signature is None:
            raise SignatureError("MissingAuthenticationToken", "Missing Authentication Token")
        credentials = self._core.credentials
        try:
            secret = credentials.secret(signature.access_key, signature.token)
            account = credentials.account(signature.access_key)
        except ExpiredKeyError as error:
            raise _expired(environ, signature.service) from error
        except UnknownKeyError as error:
            raise SignatureError(
                "InvalidClientTokenId",
                f"The security token included in the request is invalid: this cloud did not issue "
                f"access key {error} with this session token; use an account's twelve digits or "
                "the keys of an assumed role.",
            ) from error
        body = environ["wsgi.input"].getvalue()
        now = self._core.clock.timestamp()
        verify(environ, signature, secret, body, cloud_time=now)
        return Caller(signature.access_key, account, signature.region, signature.service)


def _expired(environ: dict[str, Any], service: str) -> SignatureError:
    """Return the error for an expired session's keys, in the words of S3 or of other services.

    Its name depends on the protocol: cloud-custodian#9216, eksctl#5968.
    """
    if service == "s3":
        return SignatureError("ExpiredToken", "The provided token has expired.", 400)
    message = "The security token included in the request is expired"
    if "form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        return SignatureError("ExpiredToken", message)
    status = 400 if "HTTP_X_AMZ_TARGET" in environ else 403
    return SignatureError("ExpiredTokenException", message, status)


def _has_json_body(environ: dict[str, Any]) -> bool:
    """Return whether a request's body is JSON parameters (protocols JSON and REST-JSON).

    The body of an S3 object or of an invocation may be anything.
    """
    if "json" not in environ.get("CONTENT_TYPE", ""):
        return False
    if environ.get("HTTP_X_AMZ_TARGET"):
        return True
    signature = Signature.of(environ)
    is_content = environ["PATH_INFO"].endswith(_INVOCATIONS)
    return signature is not None and signature.service != "s3" and not is_content


def _malformed_json(environ: dict[str, Any]) -> str:
    """Return why the body of a request is not a JSON object, or "" if it is one."""
    try:
        body: Any = environ["wsgi.input"].getvalue()
        if environ.get("HTTP_CONTENT_ENCODING") == "gzip":
            body = gzip.decompress(body)
        body = strict_json.parse(body or b"{}")
    except (ValueError, OSError, EOFError, zlib.error) as error:
        return f"The request body is not well-formed JSON: {error}"
    return "" if isinstance(body, dict) else "The request body is not a JSON object"


def _refuse(environ: dict[str, Any], status: int, code: str, message: str) -> Response:
    """Return an error outside of any service: text for git, JSON or XML for AWS's clients."""
    if environ["PATH_INFO"].startswith("/git-http/"):
        # git prints the body of an error only if it is plain text.
        return Response(f"{message}\n", status=status, content_type="text/plain; charset=utf-8")
    if "json" in environ.get("CONTENT_TYPE", ""):
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    else:
        # The query protocol wraps the `Error` element that S3 returns.
        kind = "text/xml"
        error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        query = "form-urlencoded" in environ.get("CONTENT_TYPE", "")
        body = f"<ErrorResponse>{error}</ErrorResponse>" if query else error
    headers = {
        "x-amzn-errortype": code,
        "x-amzn-requestid": request_id(),
        "Content-Type": kind,
    }
    return Response(body, status=status, headers=headers)
