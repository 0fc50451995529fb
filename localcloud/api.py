"""The AWS API: one WSGI application in front of our services and of moto.

A request's SigV4 scope names its service. Ours are answered by a `ServiceApi`, all others by
moto, under the journal that makes moto remember.
"""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import ActionResult, BaseResponse
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.cloud import Cloud
    from localcloud.credentials import Caller
    from localcloud.http import Wsgi

# "Common errors" of every AWS API reference; moto warns of each that is in no service's model.
COMMON_ERROR_CODES += ["AccessDenied", "AccessDeniedException", "InternalFailure", "NotImplemented"]


class ApiError(ServiceException):
    """An AWS error answer: `code` is AWS's own name for it.

    The HTTP status comes from the service's botocore model where the model knows the error.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


class ServiceApi(BaseResponse):
    """The operations of one service, a method each, in snake case, returning `ActionResult`.

    `self.params` holds the parsed parameters by botocore's own names; `self.account`,
    `self.region` say for whom; errors are raised as `ApiError`.
    """

    service: ClassVar[str]
    """botocore's name of the service."""
    cloud: Cloud
    caller: Caller

    def __init__(self, cloud: Cloud, caller: Caller) -> None:
        super().__init__(service_name=self.service)
        self.cloud = cloud
        self.caller = caller
        self.automated_parameter_parsing = True

    @property
    def account(self) -> str:
        """The caller's account."""
        return self.caller.account

    def answer(self, request: Request) -> tuple[int, dict[str, Any], Any]:
        """Run the operation that the request names; one we do not know is an error that says so."""
        try:
            status, headers, body = self._dispatch(request, request.url, request.headers)
        except NotImplementedError:
            operation = self._get_action()
            unknown = ApiError(
                "NotImplemented",
                f"{self.service}:{operation} is not part of the local cloud",
            )
            status, headers, body = self.serialized(ActionResult(unknown))
            status = 501
        return int(headers.pop("status", status)), headers, body

    def get_current_account(self) -> str:  # moto asks this before it parses anything
        return self.caller.account


class AwsApi:
    """The WSGI application on the API's port."""

    def __init__(
        self, cloud: Cloud, apis: dict[str, type[ServiceApi]], moto: Wsgi, git: Wsgi
    ) -> None:
        self._cloud = cloud
        self._apis = apis
        self._moto = moto
        self._git = git

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"].startswith("/git-http/"):
            return self._git(environ, start_response)
        caller = self._caller(environ)
        if caller is None:
            return self._moto(environ, start_response)
        if not caller.account:
            return _refuse(
                environ,
                403,
                "InvalidClientTokenId",
                f"The access key {caller.access_key} was not given out by this cloud; "
                "use an account's twelve digits or the keys of an assumed role.",
            )(environ, start_response)
        api = self._apis.get(caller.service)
        if api is None:
            environ["HTTP_X_MOTO_ACCOUNT_ID"] = caller.account
            return self._moto(environ, start_response)
        try:
            status, headers, body = api(self._cloud, caller).answer(Request(environ))
        except Exception:  # noqa: BLE001  # a bug of ours answers its client, and is told
            traceback.print_exc()
            return _refuse(
                environ,
                500,
                "InternalFailure",
                "The local cloud failed on this request; its log says how.",
            )(environ, start_response)
        return Response(body, status=status, headers=headers)(environ, start_response)

    def _caller(self, environ: dict[str, Any]) -> Caller | None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        presigned = query.get("X-Amz-Credential", [""])[0]
        return self._cloud.credentials.caller(environ.get("HTTP_AUTHORIZATION", ""), presigned)


def _refuse(environ: dict[str, Any], status: int, code: str, message: str) -> Response:
    """An error that no service answers: in JSON to who speaks it, else in AWS's XML."""
    if "json" in environ.get("CONTENT_TYPE", ""):
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    else:
        # The query protocol's answer holds what S3's is.
        kind = "text/xml"
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        query = "form-urlencoded" in environ.get("CONTENT_TYPE", "")
        body = f"<ErrorResponse>{error}</ErrorResponse>" if query else error
    headers = {"x-amzn-errortype": code, "Content-Type": kind}
    return Response(body, status=status, headers=headers)
