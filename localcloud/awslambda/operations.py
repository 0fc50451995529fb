"""Common base of Lambda's API: the addressed function, and pages of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from moto.core.responses import ActionResult

from localcloud.awslambda.model import address
from localcloud.core.service_api import ApiError, ServiceApi

if TYPE_CHECKING:
    from localcloud.awslambda.model import Address
    from localcloud.awslambda.service import Functions
    from localcloud.core.ports import Document

_PAGE_SIZE = 50


class Operations(ServiceApi):
    """Base class of Lambda's operations."""

    model: ClassVar[str] = "lambda"
    service: Functions

    def where(self, qualifier: str | None = None) -> Address:
        """Return the request's function, with the given or the name's qualifier.

        Raises:
            ApiError: the function belongs to another account, or its name is invalid.
        """
        return self.own(address(self.account, self.region, self.params["FunctionName"], qualifier))

    def own(self, where: Address) -> Address:
        """Return the address; raise if it belongs to another account."""
        if where.account != self.account:
            session = self.service.core.credentials.session(self.caller.access_key)
            who = session.arn if session else f"arn:aws:iam::{self.account}:root"
            raise ApiError(
                "AccessDeniedException",
                f"User: {who} is not authorized to perform: lambda:{self._get_action()} on "
                f"resource: {where.arn}",
            )
        return where

    def page(self, name: str, found: list[Document]) -> ActionResult:
        """Return a page of a list, from `Marker`, with at most `MaxItems` items."""
        begin = int(self.params.get("Marker") or 0)
        end = begin + min(int(self.params.get("MaxItems") or _PAGE_SIZE), _PAGE_SIZE)
        document: dict[str, Any] = {name: found[begin:end]}
        if end < len(found):
            document["NextMarker"] = str(end)
        return ActionResult(document)
