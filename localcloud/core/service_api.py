"""The base of each service's API: operations as methods, errors in AWS's own form."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from localcloud.core.request_id import request_id

if TYPE_CHECKING:
    from moto.core.request import Request

    from localcloud.core.credentials import Caller
    from localcloud.core.providers import Provider

# "Common errors" of every AWS API reference; moto warns of each that is in no service's model.
COMMON_ERROR_CODES += [
    "AccessDenied", "AccessDeniedException", "InternalFailure", "NotImplemented",
    "RequestEntityTooLarge",
]  # fmt: skip


_REQUEST_ID = re.compile(r"(?<=<RequestId>).*(?=</RequestId>)")


class ApiError(ServiceException):
    """An AWS error answer: `code` is AWS's own name for it.

    The HTTP status comes from the service's botocore model where the model knows the error.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


class ServiceApi(BaseResponse):
    """The operations of one service, a method each, in snake case, returning `ActionResult`.

    An instance answers one request; `service` is the service that it belongs to.

    `self.params` holds the parsed parameters by botocore's own names; `self.account`,
    `self.region` say for whom; errors are raised as `ApiError`.
    """

    model: ClassVar[str]
    """botocore's name of the service."""
    service: Any
    """Of the type that each API names."""
    caller: Caller

    def __init__(self, service: Any, caller: Caller) -> None:
        super().__init__(service_name=self.model)
        self.service = service
        self.caller = caller
        self.automated_parameter_parsing = True

    @property
    def account(self) -> str:
        """The caller's account."""
        return self.caller.account

    def answer(self, request: Request) -> tuple[int, dict[str, Any], Any]:
        """Run the operation that the request names; answer 501 if the local cloud has none."""
        try:
            status, headers, body = self._dispatch(request, request.url, request.headers)
        except NotImplementedError:
            operation = self._get_action()
            unknown = ApiError(
                "NotImplemented",
                f"{self.model}:{operation} is not part of the local cloud",
            )
            status, headers, body = self.serialized(ActionResult(unknown))
            status = 501
        return int(headers.pop("status", status)), headers, body

    @staticmethod
    def _enrich_response(headers: dict[str, Any], body: Any) -> tuple[dict[str, Any], Any]:
        """As moto does it, with the request's own id: the log has the same one."""
        if "status" in headers:
            headers["status"] = str(headers["status"])
        headers["x-amzn-requestid"] = request_id()
        if isinstance(body, str):
            body = _REQUEST_ID.sub(request_id(), body)
        return headers, body

    def get_current_account(self) -> str:  # moto asks this before it parses anything
        return self.caller.account


ApiFactory = Callable[["Caller"], ServiceApi]
"""Creates the API of a service for one request of a caller."""


class Service(Protocol):
    """One AWS service that acts."""

    providers: dict[str, Provider]
    """The CloudFormation types that it creates, by type name."""

    def start(self) -> None:
        """Continue what the ledger holds; the API already answers."""
        ...

    def stop(self) -> None:
        """Stop every thread and process of its own; `start` continues what was under way."""
        ...
