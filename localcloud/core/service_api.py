"""The base of each service's API: operations as methods, errors in AWS's own form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

if TYPE_CHECKING:
    from moto.core.request import Request

    from localcloud.cloud import Cloud
    from localcloud.core.credentials import Caller

# "Common errors" of every AWS API reference; moto warns of each that is in no service's model.
COMMON_ERROR_CODES += [
    "AccessDenied", "AccessDeniedException", "InternalFailure", "NotImplemented",
    "RequestEntityTooLarge",
]  # fmt: skip


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
        """Run the operation that the request names; answer 501 if the local cloud has none."""
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
